import unittest

from timesheet.report import format_hours, hours_worked, overtime, weekly_hours


class TestReport(unittest.TestCase):
    def test_day_shift(self):
        self.assertEqual(hours_worked("09:00-17:30"), 8.5)

    def test_night_shift(self):
        self.assertEqual(hours_worked("22:00-06:00"), 8.0)

    def test_empty_week(self):
        self.assertEqual(weekly_hours([]), 0)

    def test_week_of_day_shifts(self):
        self.assertEqual(weekly_hours(["08:00-16:00"] * 4), 32)

    def test_overtime(self):
        self.assertEqual(overtime(["08:00-18:00"] * 5), 10)

    def test_format(self):
        self.assertEqual(format_hours(7.5), "7 h 30 min")


if __name__ == "__main__":
    unittest.main()
