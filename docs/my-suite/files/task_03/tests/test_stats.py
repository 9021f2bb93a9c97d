import unittest

from stats import mean


class TestMean(unittest.TestCase):
    def test_values(self):
        self.assertEqual(mean([1, 2, 6]), 3)

    def test_missing(self):
        self.assertEqual(mean([1, None, 3]), 2)
