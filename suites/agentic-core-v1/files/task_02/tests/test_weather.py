import unittest

from src.weather import mean_humidity, mean_pressure, mean_temperature, mean_wind

DAY = [
    {"temperature": "20.0", "humidity": "40", "pressure": "1012", "wind_speed": "2.5"},
    {"temperature": "23.5", "humidity": "65", "pressure": "1017", "wind_speed": "3.25"},
    {"temperature": "ERR", "humidity": "", "pressure": "3"},
]


class TestWeather(unittest.TestCase):
    def test_temperature(self):
        self.assertEqual(mean_temperature(DAY), 21.8)

    def test_humidity(self):
        self.assertEqual(mean_humidity(DAY), 52.5)

    def test_pressure(self):
        self.assertEqual(str(mean_pressure(DAY)), "1014")

    def test_wind(self):
        self.assertEqual(mean_wind(DAY), 2.88)

    def test_no_valid_value(self):
        self.assertIsNone(mean_temperature([]))
        self.assertIsNone(mean_pressure([{"pressure": "ERR"}]))


if __name__ == "__main__":
    unittest.main()
