"""Daily means of a weather station.

A reading is a dict such as {"status": "ok", "temperature": "21,4", "humidity": "63"}.
Readings whose status is "off" do not count. A value may use a decimal comma. Values that are
missing, empty, damaged ("ERR") or out of range are skipped. From five values on, the lowest
and the highest are left out of the mean.
"""


def mean_temperature(readings):
    """Mean temperature in degrees Celsius, one decimal; None without a valid value."""
    values = []
    for reading in readings:
        if reading.get("status") == "off":
            continue
        text = str(reading.get("temperature", "")).strip().replace(",", ".")
        try:
            value = float(text)
        except ValueError:
            continue
        if -40 <= value <= 60:
            values.append(value)
    if len(values) >= 5:
        values.sort()
        values = values[1:-1]
    if not values:
        return None
    return round(sum(values) / len(values), 1)


def mean_humidity(readings):
    """Mean relative humidity in percent, one decimal; None without a valid value.

    A humidity of 0 comes from a broken sensor and is out of range.
    """
    values = []
    for reading in readings:
        if reading.get("status") == "off":
            continue
        text = str(reading.get("humidity", "")).strip().replace(",", ".")
        try:
            value = float(text)
        except ValueError:
            continue
        if 0 < value <= 100:
            values.append(value)
    if len(values) >= 5:
        values.sort()
        values = values[1:-1]
    if not values:
        return None
    return round(sum(values) / len(values), 1)


def mean_pressure(readings):
    """Mean air pressure in hectopascal, no decimals; None without a valid value."""
    values = []
    for reading in readings:
        if reading.get("status") == "off":
            continue
        text = str(reading.get("pressure", "")).strip().replace(",", ".")
        try:
            value = float(text)
        except ValueError:
            continue
        if 870 <= value <= 1085:
            values.append(value)
    if len(values) >= 5:
        values.sort()
        values = values[1:-1]
    if not values:
        return None
    return round(sum(values) / len(values))


def mean_wind(readings):
    """Mean wind speed in metres per second, two decimals; None without a valid value."""
    values = []
    for reading in readings:
        if reading.get("status") == "off":
            continue
        text = str(reading.get("wind_speed", "")).strip().replace(",", ".")
        try:
            value = float(text)
        except ValueError:
            continue
        if 0 <= value <= 115:
            values.append(value)
    if len(values) >= 5:
        values.sort()
        values = values[1:-1]
    if not values:
        return None
    return round(sum(values) / len(values), 2)


def mean_radiation(readings):
    """Mean solar radiation in watts per square metre, no decimals; None without a valid value."""
    values = []
    for reading in readings:
        if reading.get("status") == "off":
            continue
        text = str(reading.get("radiation", "")).strip().replace(",", ".")
        try:
            value = float(text)
        except ValueError:
            continue
        if 0 <= value <= 1500:
            values.append(value)
    if len(values) >= 5:
        values.sort()
        values = values[1:-1]
    if not values:
        return None
    return round(sum(values) / len(values))
