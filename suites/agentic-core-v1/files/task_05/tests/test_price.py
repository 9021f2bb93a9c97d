import unittest

from src.price import line_total, receipt, shipping, subtotal, total

PEN = {"name": "pen", "price": 1.2, "quantity": 3}
LAMP = {"name": "lamp", "price": 60.0}
GIFT = {"name": "sticker", "price": None, "quantity": 2}


class TestPrice(unittest.TestCase):
    def test_line_total(self):
        self.assertEqual(line_total(PEN), 3.6)

    def test_line_total_of_a_gift(self):
        self.assertEqual(line_total(GIFT), 0)

    def test_subtotal(self):
        self.assertEqual(subtotal([PEN, LAMP]), 63.6)

    def test_shipping(self):
        self.assertEqual(shipping([PEN]), 4.9)

    def test_total_with_a_code(self):
        self.assertEqual(total([LAMP], "welcome"), 54.0)

    def test_receipt_with_a_gift(self):
        self.assertEqual(receipt([LAMP, GIFT]), "1 x lamp: 60.00\n2 x sticker: 0.00\ntotal: 60.00")


if __name__ == "__main__":
    unittest.main()
