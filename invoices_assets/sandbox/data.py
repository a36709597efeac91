"""Deterministic, realistic invoices. Each is a pure function of its index, so any one can be made alone and
at once.

Money is reckoned in whole cents and written without trailing zeros (10, 10.5, 1999.99), as many APIs do. A
line's `amount` is its net with tax, rounded half up to the cent (to the whole unit in JPY); `subtotal +
tax_amount = total = sum of the lines' amounts = amount_paid + amount_due`, exactly.
"""

from __future__ import annotations

import json
from datetime import date
from functools import lru_cache
from typing import Any

STATUSES = (b"draft", b"open", b"paid", b"void", b"overdue")

_CURRENCY_MIX = (b"EUR",) * 7 + (b"USD",) * 4 + (b"GBP",) * 2 + (b"JPY", b"CHF", b"SEK")
_TAX_PER_MILLE = (190, 70, 200, 55, 210, 0, 100, 81, 250, 240)
_QUANTITIES = (100, 200, 300, 400, 500, 1000, 1200, 2500, 50, 150, 225, 775, 4000, 100, 100, 100)
_ITEMS = (
    "Consulting, day rate",
    "Support plan “Gold”",
    "Annual licence",
    "Überführung & Montage",
    "Hébergement web (mois)",
    "Übersetzung DE→EL",
    "μετάφραση εγγράφων",
    "保守サポート",
    "Café en grains, 1 kg",
    "Screws M4×20, box of 100",
    "Workshop 🛠️ on site",
    "Reiskosten",
    "Data storage, TB/month",
    "Ödegårdens honung 350 g",
    'Monitor 27" 4K',
    "Travel\texpenses",
)
_FIRST = (
    "Ada",
    "Björn",
    "Chloé",
    "Dimitra",
    "Émile",
    "Fatima",
    "Giorgos",
    "Haruki",
    "İpek",
    "José",
    "Kwame",
    "Łucja",
)
_LAST = (
    "Müller",
    "O'Neill",
    "Papadopoulos",
    "Nguyễn",
    "Sørensen",
    "García",
    "Smith",
    "Kowalski",
    "Tanaka",
    "Åberg",
)
_COMPANIES = (
    ("Αθηνά Λογιστική Α.Ε.", "GR"),
    ("株式会社さくら", "JP"),
    ("Blumen & Söhne GmbH", "DE"),
    ("Fjord Fisk AB", "SE"),
    ("Uhrwerk Zürich AG", "CH"),
    ("Crème de la Crème SARL", "FR"),
    ("Rocket 🚀 Labs Inc.", "US"),
    ("Thistle & Rye Ltd", "GB"),
    ("Żubr Logistyka sp. z o.o.", "PL"),
    ("Panadería Ñandú S.L.", "ES"),
)
_NOTES = (
    "Danke für Ihren Auftrag!",
    "Παρακαλούμε πληρώστε εγκαίρως.",
    "ありがとうございます 🙏",
    "PO 4711/B; deliver to gate 3,\nask for Åsa.",
    'He said: "net 30".',
)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


_NOTE_TEXTS = [_json(note).encode() for note in _NOTES] + [b"null"] * 20
_SETTLED = (b"paid",) * 14 + (b"open", b"open", b"overdue", b"overdue", b"draft", b"void")
_TERMS = (14, 30, 30, 60)


def mix(index: int, seed: int) -> int:
    """64 well mixed bits of an index (splitmix64's finalizer), so that neighbours do not look alike."""
    bits = (index * 0x9E3779B97F4A7C15 + seed * 0xD1B54A32D192ED03 + 1) & 0xFFFFFFFFFFFFFFFF
    bits = ((bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9) & 0xFFFFFFFFFFFFFFFF
    bits = ((bits ^ (bits >> 27)) * 0x94D049BB133111EB) & 0xFFFFFFFFFFFFFFFF
    return bits ^ (bits >> 31)


_CENTS = [b"", *(f".{cents:02}".rstrip("0").encode() for cents in range(1, 100))]


def _money(cents: int) -> str:
    return f"{cents // 100}{_CENTS[cents % 100].decode()}"


def _rounded(numerator: int, denominator: int) -> int:
    return (2 * numerator + denominator) // (2 * denominator)


@lru_cache(maxsize=2)
def _lines(whole_units: bool) -> list[tuple[bytes, int, int]]:
    """1,024 line items as (JSON text, net cents, gross cents); whole units where a currency has no cents."""
    step = 100 if whole_units else 1
    lines = []
    for index in range(1024):
        bits = mix(index, 77)
        quantity = _QUANTITIES[bits % 16]
        price = 90 + (bits >> 8) % 90_000
        if (bits >> 40) % 3 == 0:
            price = price // 100 * 100 + 100
        if whole_units:
            price = price * 100
        tax = _TAX_PER_MILLE[(bits >> 44) % 10]
        net = _rounded(price * quantity, 100 * step) * step
        gross = _rounded(net * (1000 + tax), 1000 * step) * step
        text = (
            f'{{"description":{_json(_ITEMS[(bits >> 50) % 16])},"quantity":{_money(quantity)},'
            f'"unit_price":{_money(price)},"tax_rate":{_money(tax * 10)},"amount":{_money(gross)}}}'
        )
        lines.append((text.encode(), net, gross))
    return lines


@lru_cache(maxsize=1)
def _customers() -> list[bytes]:
    """JSON texts of 600 customers; one in four has no VAT number."""
    customers = []
    for index in range(600):
        bits = mix(index, 99)
        company, country = _COMPANIES[bits % 10]
        person = f"{_FIRST[(bits >> 8) % 12]} {_LAST[(bits >> 16) % 10]}"
        name = company if index % 3 else person
        vat = None if index % 4 == 0 else f"{country}{(bits >> 24) % 1_000_000_000:09}"
        email = f"billing+{index}@customer-{index % 97}.example"
        record = {
            "id": f"cus_{index + 1:04}",
            "name": name,
            "email": email,
            "country": country,
            "vat_id": vat,
        }
        customers.append(_json(record).encode())
    return customers


class _Days(dict[int, bytes]):
    def __missing__(self, day: int) -> bytes:
        text = self[day] = date.fromordinal(719_163 + day).isoformat().encode()
        return text


_DAYS = _Days()
"""Day counted from 1970-01-01 -> its ISO date."""

_MINUTES = [f"T{minute // 60:02}:{minute % 60:02}:".encode() for minute in range(1440)]
_SECONDS = [f"{second:02}Z".encode() for second in range(60)]

_TEMPLATE = (
    b'{"id":"inv_%07d","number":"INV-%b-%06d","status":"%b","currency":"%b","customer":%b,"issue_date":"%b",'
    b'"due_date":%b,"paid_at":%b,"note":%b,"subtotal":%d%b,"tax_amount":%d%b,"total":%d%b,"amount_paid":%d%b,'
    b'"amount_due":%d%b,"line_items":[%b],"created_at":"%b%b%b","updated_at":"%b"}'
)


def _stamp(second: int) -> bytes:
    rest = second % 86_400
    return _DAYS[second // 86_400] + _MINUTES[rest // 60] + _SECONDS[rest % 60]


def invoice_text(
    index: int, seed: int, created: int, changed: int, status: bytes | None, note: str | None = None
) -> bytes:
    """One invoice as JSON text. One template of bytes, because load tests read a million of these.

    Parameters:
        index: 0-based position in the history; decides customer, currency, lines.
        seed: another value gives other invoices.
        created, changed: epoch seconds of `created_at` and `updated_at`.
        status: one of `STATUSES`, which decides `paid_at`, `amount_paid` and `amount_due`; None leaves it to
            chance.
        note: text of the note; None leaves it to chance (four in five have none).
    """
    bits = mix(index, seed)
    currency = _CURRENCY_MIX[bits & 15]
    table = _lines(currency == b"JPY")
    lines, net, total = table[bits >> 4 & 1023]
    for shift in (14, 24, 34)[: bits >> 62]:
        line, line_net, line_total = table[bits >> shift & 1023]
        lines = b"%b,%b" % (lines, line)
        net += line_net
        total += line_total
    status = status or _SETTLED[(bits >> 44) % 20]
    when = _stamp(changed)
    paid, paid_at = 0, b"null"
    if status == b"paid":
        paid, paid_at = total, b'"%b"' % when
    elif bits & 0xC00 == 0 and status in (b"open", b"overdue"):
        paid = total // 300 * 100
    tax, due = total - net, total - paid
    day, rest = divmod(created, 86_400)
    issued = _DAYS[day]
    return _TEMPLATE % (
        index + 1,
        issued[:4],
        index + 1,
        status,
        currency,
        _customers()[(bits >> 20) % 600],
        issued,
        b'"%b"' % _DAYS[day + _TERMS[bits >> 50 & 3]] if bits >> 52 & 15 else b"null",
        paid_at,
        _NOTE_TEXTS[(bits >> 54) % 25] if note is None else _json(note).encode(),
        net // 100,
        _CENTS[net % 100],
        tax // 100,
        _CENTS[tax % 100],
        total // 100,
        _CENTS[total % 100],
        paid // 100,
        _CENTS[paid % 100],
        due // 100,
        _CENTS[due % 100],
        lines,
        issued,
        _MINUTES[rest // 60],
        _SECONDS[rest % 60],
        when,
    )
