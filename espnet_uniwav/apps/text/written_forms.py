"""What is written short and read long: units, signs, abbreviations, months."""

from __future__ import annotations

# unit -> what is read after one and after any other number
UNITS = {
    "mm": ("millimeter", "millimeters"),
    "cm": ("centimeter", "centimeters"),
    "m": ("meter", "meters"),
    "km": ("kilometer", "kilometers"),
    "\u03bcm": ("micrometer", "micrometers"),
    "\u03bcg": ("microgram", "micrograms"),
    "\u03bcs": ("microsecond", "microseconds"),
    "nm": ("nanometer", "nanometers"),
    "in": ("inch", "inches"),
    "ft": ("foot", "feet"),
    "yd": ("yard", "yards"),
    "mi": ("mile", "miles"),
    "mg": ("milligram", "milligrams"),
    "g": ("gram", "grams"),
    "kg": ("kilogram", "kilograms"),
    "lb": ("pound", "pounds"),
    "lbs": ("pound", "pounds"),
    "oz": ("ounce", "ounces"),
    "ml": ("milliliter", "milliliters"),
    "l": ("liter", "liters"),
    "L": ("liter", "liters"),
    "ms": ("millisecond", "milliseconds"),
    "s": ("second", "seconds"),
    "sec": ("second", "seconds"),
    "min": ("minute", "minutes"),
    "h": ("hour", "hours"),
    "hr": ("hour", "hours"),
    "hrs": ("hour", "hours"),
    "Hz": ("hertz", "hertz"),
    "kHz": ("kilohertz", "kilohertz"),
    "MHz": ("megahertz", "megahertz"),
    "GHz": ("gigahertz", "gigahertz"),
    "kB": ("kilobyte", "kilobytes"),
    "KB": ("kilobyte", "kilobytes"),
    "MB": ("megabyte", "megabytes"),
    "GB": ("gigabyte", "gigabytes"),
    "TB": ("terabyte", "terabytes"),
    "W": ("watt", "watts"),
    "kW": ("kilowatt", "kilowatts"),
    "kWh": ("kilowatt hour", "kilowatt hours"),
    "V": ("volt", "volts"),
    "dB": ("decibel", "decibels"),
    "mph": ("mile per hour", "miles per hour"),
    "kph": ("kilometer per hour", "kilometers per hour"),
    "\u00b0C": ("degree Celsius", "degrees Celsius"),
    "\u00b0F": ("degree Fahrenheit", "degrees Fahrenheit"),
    "\u00b0": ("degree", "degrees"),
    "%": ("percent", "percent"),
}
# Units that are words as well: read as units only beside their number without a
# blank, with a point, or in a quotient.
TIGHT_UNITS = {"in"}
# sign -> currency, one and more; its hundredth, one and more
MONEY = {
    "$": ("dollar", "dollars", "cent", "cents"),
    "\u00a3": ("pound", "pounds", "penny", "pence"),
    "\u20ac": ("euro", "euros", "cent", "cents"),
    "\u00a5": ("yen", "yen", "sen", "sen"),
}
SCALES = {
    "k": "thousand",
    "K": "thousand",
    "m": "million",
    "M": "million",
    "mn": "million",
    "b": "billion",
    "bn": "billion",
    "B": "billion",
    "T": "trillion",
    "tn": "trillion",
}
# Read as words where they stand between blanks or digits.
SIGNS = {
    "&": "and",
    "+": "plus",
    "=": "equals",
    "@": "at",
    "#": "number",
    "%": "percent",
    "\u00d7": "times",
    "\u00f7": "divided by",
    "<": "less than",
    ">": "greater than",
    "\u00a7": "section",
    "~": "about",
    "\u00b0": "degrees",
    "/": "slash",
}
SIGNS |= {sign: names[0] for sign, names in MONEY.items()}
MONTHS = {
    name[:3]: name
    for name in (
        "January February March April May June July August September October "
        "November December"
    ).split()
} | {"Sept": "September"}
DAYS = {
    name[:3]: name
    for name in "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
} | {"Tues": "Tuesday", "Thur": "Thursday", "Thurs": "Thursday"}
# Written with a point; capital letters do not matter.
ABBREVIATIONS = {
    "e.g": "for example",
    "i.e": "that is",
    "a.k.a": "also known as",
    "vs": "versus",
    "approx": "approximately",
    "dept": "department",
    "govt": "government",
    "prof": "professor",
    "gov": "governor",
    "sen": "senator",
    "rep": "representative",
    "sr": "senior",
    "mt": "mount",
    "ave": "avenue",
    "blvd": "boulevard",
    "rd": "road",
    "inc": "incorporated",
    "corp": "corporation",
    "bros": "brothers",
    "assn": "association",
    "mrs": "mrs",
    "messrs": "messieurs",
    "etc": "et cetera",
}
# Letters with points that the dictionary knows.
DOTTED = set(
    "a.d a.m b.c c.o.d d.c e.g m.d p.m ph.d u.k u.n u.s u.s.a u.s.c v.a".split()
)
# Written with a point and followed by a number.
NUMBERED = {
    "nos": "numbers",
    "vol": "volume",
    "fig": "figure",
    "ch": "chapter",
    "sec": "section",
    "p": "page",
    "pp": "pages",
}
NUMBERED |= {name.capitalize(): word for name, word in NUMBERED.items()}
NUMBERED["No"] = "number"
# Words without a vowel that are not spelled where all of a text is in capitals.
SHORT_WORDS = "MR MRS MS DR ST JR SR TH HM HMM SH SHH LL".split()
# Words as well, unless they begin with a capital letter.
WORDS_TOO = {"rep", "sen", "gov", "ave", "mt"}
# Before a Roman number that is read as "two", and as "the second".
COUNTED = "War|Chapter|Part|Volume|Act|Scene|Section|Book|Phase|Type|Appendix"
RULERS = (
    "Henry|Elizabeth|Charles|George|Edward|James|William|Richard|Mary|Louis|Napoleon|"
    "Philip|Frederick|Catherine|Alexander|Nicholas|Peter|John|Paul|Pius|Benedict|"
    "Francis|Leo|Gregory|Clement|Innocent|Ramses|Ptolemy|Otto|Leopold|Victor"
)
