#!/usr/bin/env python3
"""Checks the results bundle of a tender, offline: ``python verify.py results-2016.zip``.

Needs Python 3.10 and nothing else; numpy where reviews were calibrated, highspy and numpy where the awards were found
by an integer programme. It shares no code with the portal: all is computed anew from the frozen facts and the rules.

    python verify.py BUNDLE                          check everything
    python verify.py BUNDLE --number JP-2016-IS-0003 --sha256 DIGEST     is my application inside, as I submitted it?
    python verify.py BUNDLE --heads audit-heads.json the published heads of the audit trail, saved from the portal
    python verify.py BUNDLE --key HEX                the public key of the portal, as you know it from elsewhere
    python verify.py BUNDLE --former BUNDLE          an earlier version of it: nothing that was published has changed
    --lang ru|en                                     the language of the report

Exit code 0: everything holds; 1: something differs, the report names the place; 2: it is no bundle.
"""

from __future__ import annotations

import argparse
import hashlib
import hmac
import io
import json
import os
import struct
import sys
import zipfile
import zlib
from datetime import datetime
from decimal import ROUND_HALF_UP, Context, Decimal, setcontext
from fractions import Fraction
from itertools import pairwise
from math import ceil, floor, gcd

setcontext(Context(prec=60, rounding=ROUND_HALF_UP))
MANIFEST, SIGNATURE, JOINT = "manifest.json", "signature.json", "joint_limits.json"
MOST = 20  # differences that are shown
SECONDS = 300.0  # after which the search for a better total ends, and says how far it came
FEW = 60  # candidates up to which equally good sets are compared one by one

OFFERS = ("awards:offer:answer", "awards:offer:expire")
ANSWERS = {"accepted": "yes", "refused": "no", "expired": "none"}

TEXTS = {
    "bundle": ("Results bundle {}\nSHA-256 {}", "Архив результатов {}\nSHA-256 {}"),
    "container": ("The archive: {} files, not a byte besides", "Архив: файлов — {}, лишних байтов нет"),
    "digests": ("The manifest: every file is the one that was signed", "Опись: каждый файл — тот, что подписан"),
    "signature": ("The signature of the portal, key {}", "Подпись портала, ключ {}"),
    "inputs": ("{}: rules, run and inputs of {} scores", "{}: правила, расчёт и исходные данные, оценок — {}"),
    "calibration": ("{}: the severity of reviewers, from {} values", "{}: строгость экспертов, значений — {}"),
    "scores": ("{}: {} scores computed anew", "{}: пересчитано оценок — {}"),
    "draw": ("{}: the draw of lots", "{}: жребий"),
    "ranking": ("{}: the order of {} applications", "{}: порядок заявок, всего — {}"),
    "joint": ("Limits over the tracks: {}, over tracks: {}", "Ограничения на все направления: {}, направлений: {}"),
    "allocation": ("{}: the awards ({})", "{}: распределение ({})"),
    "chain": ("{}: {} decisions in a row, {} outcomes stand", "{}: решений подряд — {}, действуют исходы — {}"),
    "addenda": ("{}: {} adopted addenda, by digest", "{}: принятых приложений — {}, по контрольным суммам"),
    "former": ("The earlier version {}: nothing in it has changed", "Прежняя версия {}: ничто в ней не изменилось"),
    "postings": (
        "{}: {} postings in the ledger, none over its envelope",
        "{}: проводок в журнале — {}, сверх лимита — ни одной",
    ),
    "trail": ("The audit trail: {} rows up to row {}", "Журнал действий: строк — {}, до строки {}"),
    "heads": ("Published heads: {} signed, {} of them inside", "Опубликованные отметки: {}, внутри архива: {}"),
    "differs": ("DIFFERS", "РАСХОЖДЕНИЕ"),
    "holds": ("holds", "верно"),
    "skipped": ("not checked", "не проверено"),
    "said": ("{}: the bundle says {}, it should be {}", "{}: в архиве {}, должно быть {}"),
    "unreadable": ("{}: cannot be read ({})", "{}: не читается ({})"),
    "no_numpy": ("numpy is not installed", "не установлен numpy"),
    "no_highspy": ("highspy and numpy are not installed", "не установлены highspy и numpy"),
    "within": ("{}, at most {} % below what is possible", "{}, ниже возможного не более чем на {} %"),
    "unknown_policy": ("this verifier does not know the policy {}", "этой программе неизвестен порядок {}"),
    "all_holds": ("Everything holds: the result follows from the rules.", "Всё верно: результат следует из правил."),
    "place": ("The first difference: {}", "Первое расхождение: {}"),
    "differences": ("Differences: {}", "Расхождений: {}"),
    "inside": ("{} is inside ({}): place {}, total {}, {}", "Заявка {} в архиве ({}): место {}, итог {}, {}"),
    "sealed_at": ("its submission is row {} of the audit trail", "её подача — строка {} журнала действий"),
    "not_inside": ("Application {} is not inside.", "Заявки {} в архиве нет."),
    "award": ("awarded", "поддержана"),
    "refused": ("awarded, refused by its initiator", "поддержана, инициатор отказался"),
    "reserve": ("reserve list", "резерв"),
    "decline": ("not supported", "не поддержана"),
    "no_bundle": ("{} is no results bundle: {}", "{} — не архив результатов: {}"),
}  # fmt: skip


class Report:
    """What was checked, and where it differs; a stage that breaks is a difference too."""

    def __init__(self, language: str) -> None:
        self.at = 1 if language == "ru" else 0
        self.found: list[str] = []
        self.fresh: list[str] = []

    def text(self, name: str, *values: object) -> str:
        return TEXTS[name][self.at].format(*values)

    def differs(self, place: str, said: object, right: object) -> None:
        self.fresh.append(self.text("said", place, short(said), short(right)))

    def same(self, place: str, said: object, right: object) -> bool:
        if said == right and type(said) is type(right):
            return True
        self.differs(place, said, right)
        return False

    def stage(self, name: str, place: str, work) -> None:
        """Run ``work``, which gives the values of the stage's sentence, or a reason why it cannot be checked."""
        self.fresh = []
        try:
            values = work()
        except Skip as reason:
            print(f"  {self.text('skipped'):<12} {place}: {reason}")
            return
        except Exception as error:  # whatever a forged file provokes
            self.fresh.append(self.text("unreadable", place, f"{type(error).__name__}: {error}"))
            values = None
        if self.fresh:
            for line in self.fresh[: max(MOST - len(self.found), 0)]:
                print(f"  {self.text('differs'):<12} {line}")
            self.found += self.fresh
        elif values is not None:
            print(f"  {self.text('holds'):<12} {self.text(name, *values)}")


class Skip(Exception):
    """A stage that cannot be checked here."""


def short(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 80 else text[:77] + "..."


# The canonical form: sorted keys, no spaces, UTF-8; numbers are strings without trailing zeros.


def canonical(value: object) -> bytes:
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return text.encode("utf-8", "surrogatepass")


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def digest(value: object) -> str:
    return sha256(canonical(value))


def plain(value: Decimal | None) -> str | None:
    if value is None:
        return None
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def places(value: Decimal, count: int) -> Decimal:
    return value.quantize(Decimal(1).scaleb(-count), ROUND_HALF_UP)


# The archive.


def packed(files: dict[str, bytes]) -> bytes:
    """The one ZIP that holds these files: stored, in this order, of 1 January 1980."""
    body, index = b"", b""
    for name, content in files.items():
        raw = name.encode()
        common = struct.pack("<HHHHIIIHH", 0, 0, 0, 33, zlib.crc32(content), len(content), len(content), len(raw), 0)
        index += b"PK\x01\x02" + struct.pack("<BB", 20, 3) + struct.pack("<H", 20) + common
        index += struct.pack("<HHHII", 0, 0, 0, 0o644 << 16, len(body)) + raw
        body += b"PK\x03\x04" + struct.pack("<H", 20) + common + raw + content
    end = struct.pack("<HHHHIIH", 0, 0, len(files), len(files), len(index), len(body), 0)
    return body + index + b"PK\x05\x06" + end


def container(report: Report, content: bytes) -> dict[str, bytes]:
    """The files of the archive, whose every byte must be what they give when they are packed."""
    files = entries(content)
    if packed(files) != content:
        # Where the one way of reading it is broken, the other tells where.
        files = min((files, listed(content)), key=lambda read: (_distance(packed(read), content), _strangers(read)))
    right = packed(files)
    if right != content:
        at = next(
            (n for n, (one, other) in enumerate(zip(content, right)) if one != other), min(len(content), len(right))
        )
        report.differs(f"ZIP, byte {at} ({_entry_at(files, at)})", content[at : at + 1].hex(), right[at : at + 1].hex())
    return files


def _distance(one: bytes, other: bytes) -> int:
    """How many bytes are not the same in the same place."""
    return sum(map(int.__ne__, one, other)) + abs(len(one) - len(other))


def _strangers(files: dict[str, bytes]) -> int:
    """How many files have names that the manifest does not know."""
    try:
        known = {*json.loads(files[MANIFEST])["files"], MANIFEST, SIGNATURE}
    except (KeyError, TypeError, ValueError):
        return len(files)
    return len(files.keys() - known)


def entries(content: bytes) -> dict[str, bytes]:
    """The files one after the other, by what stands before each of them."""
    files: dict[str, bytes] = {}
    at = 0
    while content[at : at + 4] == b"PK\x03\x04" and len(content) >= at + 30:
        size, name = struct.unpack_from("<IH", content, at + 22)
        start = at + 30 + name
        files[content[at + 30 : start].decode("utf-8", "replace")] = content[start : start + size]
        at = start + size
    return files


def listed(content: bytes) -> dict[str, bytes]:
    """The files by the index at the end of the archive; none when it cannot be read."""
    files: dict[str, bytes] = {}
    try:
        for entry in zipfile.ZipFile(io.BytesIO(content)).infolist():
            start = entry.header_offset + 30 + len(entry.filename.encode())
            files[entry.filename] = content[start : start + entry.file_size]
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        return {}
    return files


def _entry_at(files: dict[str, bytes], at: int) -> str:
    end = 0
    for name, content in files.items():
        end += 30 + len(name.encode()) + len(content)
        if at < end:
            return name
    return "index"


def manifest(report: Report, files: dict[str, bytes]) -> list[int]:
    listed = json.loads(files[MANIFEST])["files"]
    for name in sorted({*listed, *files} - {MANIFEST, SIGNATURE}):
        if name not in files or name not in listed:
            report.differs(name, "—" if name not in files else name, "—" if name not in listed else name)
        else:
            found = {"sha256": sha256(files[name]), "size": len(files[name])}
            report.same(name, found, listed[name])
    return []


def signature(report: Report, files: dict[str, bytes], key: str | None) -> list[str]:
    given = json.loads(files[SIGNATURE])
    report.same(SIGNATURE, files[SIGNATURE], canonical({"key": given["key"], "signature": given["signature"]}))
    if key is not None:
        report.same(f"{SIGNATURE} key", given["key"], key.lower())
    if not signed(given["key"], given["signature"], files[MANIFEST]):
        report.differs(SIGNATURE, given["signature"], "Ed25519 of " + MANIFEST)
    return [given["key"]]


# Ed25519, as in RFC 8032, 5.1.7.

P = 2**255 - 19
Q = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P


def _add(one, other):
    a = (one[1] - one[0]) * (other[1] - other[0]) % P
    b = (one[1] + one[0]) * (other[1] + other[0]) % P
    c, d = 2 * one[3] * other[3] * D % P, 2 * one[2] * other[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def _times(count: int, point):
    total = (0, 1, 1, 0)
    while count:
        if count & 1:
            total = _add(total, point)
        point = _add(point, point)
        count >>= 1
    return total


def _point(data: bytes):
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & ((1 << 255) - 1)
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if y >= P or (x * x - square) % P or (x == 0 and sign):
        return None
    x = P - x if x & 1 != sign else x
    return x, y, 1, x * y % P


BASE = _point((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def signed(key: str, mark: str, content: bytes) -> bool:
    public, given = bytes.fromhex(key), bytes.fromhex(mark)
    if len(public) != 32 or len(given) != 64 or mark != mark.lower() or key != key.lower():
        return False
    a, r, s = _point(public), _point(given[:32]), int.from_bytes(given[32:], "little")
    if a is None or r is None or s >= Q:
        return False
    h = int.from_bytes(hashlib.sha512(given[:32] + public + content).digest(), "little") % Q
    one, other = _times(s, BASE), _add(r, _times(h, a))
    return (one[0] * other[2] - other[0] * one[2]) % P == 0 and (one[1] * other[2] - other[1] * one[2]) % P == 0


# One track.


class Track:
    """The files of a track, and what is computed from them on the way."""

    def __init__(self, name: str, files: dict[str, bytes]) -> None:
        self.name = name
        self.raw = files
        self.totals: dict[str, tuple[Decimal | None, bool | None]] = {}
        self.lots: dict[str, str] = {}
        self.answer: tuple | None = None

    def where(self, file: str) -> str:
        return f"tracks/{self.name}/{file}.json"

    def read(self, file: str):
        return json.loads(self.raw[self.where(file)])

    @property
    def lines(self):
        """The list of the first decision, by number."""
        held = self.read("allocation")
        return {held["numbers"][line["application"]]: line for line in held["covered"]["lines"]}

    @property
    def submissions(self):
        return {each["number"]: each for each in self.read("submissions")}


def inputs(report: Report, track: Track) -> list[object]:
    """The rules are those of the run, the run's digests cover its scores, the scores' inputs are those shown."""
    run, place = track.read("run"), track.where("run")
    report.same(track.where("rules"), sha256(track.raw[track.where("rules")]), run["rules_digest"])
    if run["manifest"] is not None:
        report.same(f"{place} digest", run["digest"], digest(run["manifest"]))
        report.same(f"{place} manifest.rules", run["manifest"]["rules"]["digest"], run["rules_digest"])
        report.same(f"{place} manifest.output", run["manifest"]["output"], run["output"])
        inside = digest([[number, given] for number, _score, given in run["scores"]])
        report.same(f"{place} manifest.inputs", run["manifest"]["inputs"], inside)
    report.same(f"{place} output", run["output"], digest([[number, score] for number, score, _given in run["scores"]]))
    listed = {number: (score, given) for number, score, given in run["scores"]}
    sheets, reviews = track.read("sheets"), track.read("reviews")
    for number, submission in track.submissions.items():
        held = reviews[number]
        for review in held["reviews"]:
            where = f"{track.where('reviews')} {number} {review['reviewer']}"
            report.same(where, review["sha256"], digest(review["marks"]))
        given = [submission["sha256"], sorted(review["sha256"] for review in held["reviews"])]
        given += [held["calibrated"]] if held["calibrated"] else []
        if listed[number][1] is not None:
            report.same(f"{track.where('submissions')} {number} inputs", listed[number][1], digest(given))
        report.same(f"{track.where('sheets')} {number} digest", sheets[number]["digest"], listed[number][0])
        if not sheets[number]["closed"]:
            found = digest(sheets[number]["sheet"])
            report.same(f"{track.where('sheets')} {number} digest", sheets[number]["digest"], found)
    return [track.name, len(listed)]


def scale_points(scale, value: Decimal) -> Decimal:
    if scale["kind"] == "yes_no":
        return Decimal(scale["yes"] if value else scale["no"])
    pairs = [(Decimal(x), Decimal(y)) for x, y in scale["points" if scale["kind"] == "linear" else "bands"]]
    if scale["kind"] == "bands":
        return max(((x, y) for x, y in pairs if x <= value), default=(None, Decimal(0)))[1]
    if value <= pairs[0][0] or value >= pairs[-1][0]:
        return pairs[0][1] if value <= pairs[0][0] else pairs[-1][1]
    (x0, y0), (x1, y1) = next((one, two) for one, two in pairwise(pairs) if one[0] <= value <= two[0])
    return y0 + (value - x0) * (y1 - y0) / (x1 - x0)


def lanes_of(rules):
    """The lanes: code, keys of their aspects, reviewers wanted."""
    if rules.get("lanes"):
        return [(lane["code"], set(lane["aspects"]), lane["reviewers"]) for lane in rules["lanes"]]
    keys = {f"{item['code']}-{aspect['code']}" for item in rules["criteria"] for aspect in item["aspects"]}
    return [("general", keys, rules["reviewers_per_application"])]


def panels(rules, criterion, reviews):
    """For each lane of a criterion: its key, its number of aspects, reviewers wanted, and the values given."""
    for code, keys, wanted in lanes_of(rules):
        aspects = [each["code"] for each in criterion["aspects"] if f"{criterion['code']}-{each['code']}" in keys]
        if not aspects:
            continue
        values = []
        for review in reviews:
            marks = review["marks"].get(criterion["code"], {})
            if all(aspect in marks for aspect in aspects):
                values.append(places(sum(Decimal(marks[aspect]) for aspect in aspects) / len(aspects), 4))
        yield f"{criterion['code']}/{code}", len(aspects), wanted, sorted(values)


def expert_points(rules, criterion, held):
    """The points of an expert criterion, None while it is open, and the reviewers' values."""
    asked = list(panels(rules, criterion, held["reviews"]))
    values = [value for _key, _count, _wanted, given in asked for value in given]
    limit = Decimal(rules["spread_limit"])
    for _key, _count, wanted, given in asked:
        if len(given) < wanted or (len(given) == wanted and max(given) - min(given) > limit):
            return None, values
    total = Decimal(0)
    for key, count, _wanted, given in asked:
        mean = places(sum(given) / len(given), 4)
        calibrated = held["calibrated"].get(key) if rules.get("expert_mean") == "calibrated" else None
        total += (mean if calibrated is None else Decimal(calibrated)) * count
    return places(total / sum(count for _key, count, _wanted, _given in asked), 4), values


def scores(report: Report, track: Track) -> list[object]:
    """Points, weights, gates and totals of every application, from its figures, its reviews and the rules."""
    rules, reviews, sheets = track.read("rules"), track.read("reviews"), track.read("sheets")
    if set(reviews) != set(track.submissions) or set(sheets) != set(track.submissions):
        report.differs(track.where("sheets"), sorted(sheets), sorted(track.submissions))
    for number, submission in track.submissions.items():
        sheet = sheets[number]["sheet"]
        if sheet is None:
            continue  # of before November 2026: kept in words
        where = f"{track.where('sheets')} {number}"
        figures, sums = submission["figures"], {True: Decimal("0.00"), False: Decimal("0.00")}
        open_experts = False
        if report.same(f"{where} lines", [x["code"] for x in sheet["lines"]], [x["code"] for x in rules["criteria"]]):
            for line, criterion in zip(sheet["lines"], rules["criteria"]):
                expert = bool(criterion["aspects"])
                check = _expert_line if expert else _objective_line
                points = check(report, f"{where} {line['code']}", rules, criterion, line, figures, reviews[number])
                weighted = None if points is None else places(Decimal(criterion["weight"]) * points / 10, 2)
                report.same(f"{where} {line['code']} points", line["points"], plain(points))
                report.same(f"{where} {line['code']} weighted", line["weighted"], plain(weighted))
                open_experts = open_experts or weighted is None
                sums[expert] += weighted or 0
        expert_total = None if open_experts else sums[True]
        total = None if open_experts else sums[True] + sums[False]
        gates = _gates(rules, submission, total)
        recommended = False if False in gates.values() else None if None in gates.values() else True
        most = sum(Decimal(item["weight"]) for item in rules["criteria"] if not item["aspects"])
        right = {
            "objective_total": plain(sums[False]),
            "max_objective": plain(most),
            "expert_total": plain(expert_total),
            "total": plain(total),
            "recommended": recommended,
        }
        for name, value in right.items():
            report.same(f"{where} {name}", sheet[name], value)
        report.same(f"{where} gates", {gate["code"]: gate["passed"] for gate in sheet["gates"]}, gates)
        track.totals[number] = total, recommended
    return [track.name, len(track.totals)]


def _objective_line(report, where, rules, criterion, line, figures, held):
    total = Decimal(0)
    for part, component in zip(line["parts"], criterion["components"], strict=True):
        name, text = component["metric"], figures.get(component["metric"])
        points = Decimal(0) if text is None else places(scale_points(component["scale"], Decimal(text)), 4)
        report.same(f"{where} {name}", part["metric"], name)
        report.same(f"{where} {name} value", part["value"], text)
        report.same(f"{where} {name} points", part["points"], plain(points))
        for key, value in part["inputs"].items():
            report.same(f"{where} {name} {key}", value, figures.get(key))
        total += points * Decimal(component["share"])
    return places(total, 4)


def _expert_line(report, where, rules, criterion, line, figures, held):
    points, values = expert_points(rules, criterion, held)
    report.same(f"{where} reviewers", line["reviewers"], [plain(value) for value in values])
    return points


def _gates(rules, submission, total):
    npv = submission["figures"].get("npv")
    return {
        "eligibility": False if submission["failed"] else None if submission["open"] else True,
        "npv": None if npv is None else Decimal(npv) >= 0,
        "threshold": None if total is None else total >= Decimal(rules["threshold"]),
    }


def calibration(report: Report, track: Track) -> list[object]:
    """The values with the reviewers' severity taken out, estimated anew; and that the reviews are those shown."""
    given, rules, reviews = track.read("calibration")["given"], track.read("rules"), track.read("reviews")
    for criterion in rules["criteria"]:
        for number, held in reviews.items():
            shown = sorted(
                value for key, *_ in panels(rules, criterion, []) for name, _who, value in given[key] if name == number
            )
            right = sorted(
                format(value, "f") for *_, values in panels(rules, criterion, held["reviews"]) for value in values
            )
            report.same(f"{track.where('calibration')} {criterion['code']} {number}", shown, right)
    try:
        import numpy
    except ImportError:
        raise Skip(report.text("no_numpy")) from None
    for key, rows in given.items():
        found = calibrated(numpy, rows)
        for number, held in reviews.items():
            said, right = held["calibrated"].get(key), found.get(number)
            where = f"{track.where('reviews')} {number} calibrated {key}"
            # The last digit of an estimate may differ between machines.
            if (said is None) != (right is None) or (said and abs(Decimal(said) - right) > Decimal("0.0001")):
                report.differs(where, said, plain(right))
    return [track.name, sum(len(rows) for rows in given.values())]


def calibrated(np, rows):
    """BLUP of every application by the model value = mean + merit + severity + error, variances by REML.

    Henderson's equations are set up whole and solved directly; the restricted likelihood is searched over the two
    ratios of variances in powers of two from 2**-10 to 2**10, then in ever smaller steps down to 1/32.
    """
    names, people = sorted({row[0] for row in rows}), sorted({row[1] for row in rows})
    count, a, r = len(rows), len(names), len(people)
    if a < 5 or r < 3 or count < 12 or len({row[2] for row in rows}) == 1 or count - a - r + 1 < 3:
        return {}
    if _groups(rows) > 1:
        return {}
    values = np.array([float(row[2]) for row in rows])
    centre = values.mean()
    y = values - centre
    x = np.zeros((count, 1 + a + r))
    x[:, 0] = 1
    for at, row in enumerate(rows):
        x[at, 1 + names.index(row[0])] = 1
        x[at, 1 + a + people.index(row[1])] = 1
    left, right, squares = x.T @ x, x.T @ y, float(y @ y)

    def solve(merit, severity):
        ridge = np.concatenate(([0.0], np.full(a, 2.0**-merit), np.full(r, 2.0**-severity)))
        matrix = left + np.diag(ridge)
        found = np.linalg.solve(matrix, right)
        variance = max(squares - float(found @ right), 1e-12 * squares) / (count - 1)
        logs = float(np.linalg.slogdet(matrix)[1]) + (a * merit + r * severity) * np.log(2.0)
        return (count - 1) * np.log(variance) + logs, found

    best, step = (0.0, 0.0), 1.0
    least, found = solve(*best)
    around = [(m / 1.0, s / 1.0) for m in range(-10, 11) for s in range(-10, 11)]
    while True:
        for point in around:
            deviance, effects = solve(*point)
            if deviance < least - 1e-9:
                best, least, found = point, deviance, effects
        step /= 2
        if step < 1 / 32:
            break
        near = [(best[0] + i * step, best[1] + j * step) for i in (-1, 0, 1) for j in (-1, 0, 1) if i or j]
        around = [point for point in near if min(point) >= -10 and max(point) <= 10]
    merits = centre + found[0] + found[1 : 1 + a]
    return {name: places(Decimal(min(max(float(v), 0.0), 10.0)), 4) for name, v in zip(names, merits)}


def _groups(rows) -> int:
    """How many groups of applications and reviewers have nobody in common."""
    root: dict[object, object] = {}

    def top(key):
        while root.setdefault(key, key) != key:
            key = root[key]
        return key

    for name, person, _value in rows:
        root[top(("a", name))] = top(("r", person))
    return len({top(key) for key in list(root)})


def draw(report: Report, track: Track) -> list[object]:
    """The lots follow from the public randomness and the numbers that were committed to before."""
    for at, each in enumerate(track.read("draw")):
        report.same(f"{track.where('draw')} {at + 1}", each["commitment"], digest(each["committed"]))
        if each["randomness"] is not None:
            key = each["randomness"].encode()
            track.lots = {
                number: hmac.new(key, number.encode(), "sha256").hexdigest() for number in each["committed"]["numbers"]
            }
    return [track.name]


def ranking(report: Report, track: Track) -> list[object]:
    """The order by recommendation, total and tie rules."""
    rules, listed, held = track.read("rules"), track.read("ranking"), track.submissions
    if len(track.totals) < len(held):
        raise Skip(track.where("ranking"))

    def key(number: str) -> tuple[object, ...]:
        total, recommended = track.totals[number]
        given = held[number]
        jobs = int(given["figures"].get("hpj") or 0)
        asked = sum((Fraction(Decimal(amount)) for amount in given["amounts"].values()), Fraction(0))
        ties = {
            "subsidy_per_hpj": (0, asked / jobs) if jobs else (1, Fraction(0)),
            "registered_at": datetime.fromisoformat(given["received_at"]),
            "draw": (number not in track.lots, track.lots.get(number, "")),
            "number": number,
        }
        group = {True: 0, None: 1, False: 2}[recommended]
        return (group, Decimal(1) if total is None else -total, *(ties[rule] for rule in rules["tie_rules"]), number)

    right = sorted(held, key=key)
    report.same(track.where("ranking"), [each["number"] for each in listed], right)
    above = 0
    for each in listed:
        total, recommended = track.totals[each["number"]]
        where = f"{track.where('ranking')} {each['number']}"
        report.same(f"{where} total", each["total"], None if total is None else f"{total:.2f}")
        report.same(f"{where} recommended", each["recommended"], recommended)
        if not above < each["place"] <= len(track.read("run")["scores"]):
            report.differs(f"{where} place", each["place"], above + 1)
        above = each["place"]
    return [track.name, len(listed)]


# The awards, in whole points and whole kopecks.


def allocation(report: Report, track: Track, sides: list[Track]) -> list[object]:
    """The digest that was signed covers this list, and the list follows from ranking, money, policy and limits.

    ``sides``: the tracks that share limits, whose money is given out in one go; otherwise the track alone.
    """
    held = track.read("allocation")
    if ("joint_limits" in held["covered"]) != (JOINT in track.raw):
        report.differs(JOINT, JOINT in track.raw, "joint_limits" in held["covered"])
    covered, numbers, place = held["covered"], held["numbers"], track.where("allocation")
    report.same(f"{place} digest", held["digest"], digest(covered))
    report.same(f"{place} scores", covered["scores"], track.read("run")["output"])
    lines = [{**line, "number": numbers[line["application"]]} for line in covered["lines"]]
    report.same(f"{place} lines", [line["number"] for line in lines], [x["number"] for x in track.read("ranking")])
    for line, ranked in zip(lines, track.read("ranking")):
        report.same(f"{place} {line['number']} place", line["place"], ranked["place"])
        report.same(f"{place} {line['number']} total", line["total"], ranked["total"])
    asked, right, told = decided(report, place, sides)
    consent(report, place, asked, right, held.get("offers", []), track.name)
    for line in lines:
        at = asked["numbers"].get(line["number"])
        given = {} if at is None else right.get(at, {})
        outcome = "decline" if at is None else "award" if given else "reserve"
        report.same(f"{place} {line['number']} outcome", line["outcome"], outcome)
        amounts = {year: f"{Decimal(amount) / 100:.2f}" for year, amount in sorted(given.items())}
        report.same(f"{place} {line['number']} amounts", line["amounts"], amounts)
    return [track.name, told]


def decided(report: Report, place: str, sides: list[Track]):
    """What was asked of the money, who gets how much, and the policy in words; once for tracks that share limits."""
    first = sides[0]
    if first.answer is None:
        policies = [side.read("rules").get("allotment", "strict") for side in sides]
        for side, policy in zip(sides, policies):
            report.same(f"{side.where('rules')} allotment", policy, policies[0])
            if policy not in ("strict", "skipping", "partial", "best_total"):
                raise Skip(report.text("unknown_policy", policy))
        asked, told = asked_for(sides, policies[0]), policies[0]
        if told == "best_total":
            said = {
                asked["numbers"][number]: {year: kopecks(text) for year, text in line["amounts"].items()}
                for side in sides
                for number, line in side.lines.items()
                if number in asked["numbers"]
            }
            gaps = [Fraction(side.read("allocation").get("gap", "0")) for side in sides]
            right, within = best(report, place, asked, said, max(gaps))
            if within:
                told = report.text("within", told, f"{float(within) * 100:.3f}")
        else:
            right = walked(asked)
        first.answer = asked, right, told
    return first.answer


def asked_for(sides: list[Track], policy: str):
    """The recommended applications in canonical order, what is in the envelopes, and the limits of the rules."""
    candidates, money = [], {}
    for side in sides:
        held, submissions = side.read("allocation"), side.submissions
        share = Fraction(Decimal(str(side.read("rules").get("smallest_part", "50")))) / 100
        unwilling = {each["number"] for each in held.get("offers", []) if each["answer"] != "accepted"}
        for number, line in side.lines.items():
            if side.totals.get(number, (None, line["outcome"] != "decline"))[1]:
                each = submissions[number]
                least = {
                    year: plain(Decimal(ceil(kopecks(amount) * share)) / 100)
                    for year, amount in each["amounts"].items()
                }
                candidates.append(
                    {
                        **each,
                        **each.get("groups", {}),
                        "track": side.name,
                        "place": line["place"],
                        "key": line["application"],
                        "points": line["total"],
                        "asked": each["amounts"],
                        "least": None if number in unwilling else least,
                    }
                )
        for year, amount in held["covered"]["available"].items():
            money[side.name, year] = max(kopecks(amount), 0)
    candidates.sort(key=lambda each: (each["place"], each["track"], each["key"]))
    return {
        "policy": policy,
        "candidates": candidates,
        "numbers": {each["number"]: at for at, each in enumerate(candidates)},
        "money": money,
        "limits": all_limits(sides),
    }


def all_limits(sides: list[Track]):
    """The limits of the rules; where there are some over all tracks, these first, and each with the track that it
    looks at."""
    if JOINT not in sides[0].raw:
        return [{**limit, "track": ""} for limit in sides[0].read("rules").get("limits", [])]
    return [{**limit, "code": f"joint:{limit['code']}", "track": ""} for limit in json.loads(sides[0].raw[JOINT])] + [
        {**limit, "code": f"{side.name}:{limit['code']}", "track": side.name}
        for side in sides
        for limit in side.read("rules").get("limits", [])
    ]


def over_all(report: Report, tracks: list[Track]) -> list[object]:
    """The limits over all tracks are those that the digest of every first decision covers."""
    for track in tracks:
        place = f"{track.where('allocation')} joint_limits"
        report.same(JOINT, sha256(track.raw[JOINT]), track.read("allocation")["covered"].get("joint_limits"))
        if digest(json.loads(track.raw[JOINT])) != sha256(track.raw[JOINT]):
            report.differs(place, sha256(track.raw[JOINT]), digest(json.loads(track.raw[JOINT])))
    return [len(json.loads(tracks[0].raw[JOINT])), len(tracks)]


def consent(report: Report, place: str, asked, given, offers, track: str) -> None:
    """Whoever of a track gets less than it asked for has agreed to just that."""
    agreed = {each["number"]: each["offered"] for each in offers if each["answer"] == "accepted"}
    for at, amounts in given.items():
        each = asked["candidates"][at]
        whole = {year: kopecks(text) for year, text in each["asked"].items() if kopecks(text)}
        said = {year: kopecks(text) for year, text in agreed.get(each["number"], {}).items()}
        if each["track"] == track and amounts != whole and amounts != said:
            report.differs(f"{place} {each['number']} consent", agreed.get(each["number"]), sorted(amounts.items()))


def kopecks(text: object) -> int:
    value = Fraction(Decimal(str(text))) * 100
    if value.denominator != 1:
        raise ValueError("not in whole kopecks")
    return value.numerator


def whole_points(candidates) -> list[int]:
    """The points as whole steps of the smallest decimal that occurs."""
    points = [Decimal(each["points"]) for each in candidates]
    count = max((max(-each.normalize().as_tuple().exponent, 0) for each in points), default=0)
    return [int(each.scaleb(count)) for each in points]


def groups(candidate, field: str) -> set[str]:
    if field == "organisation":
        return set(candidate["organisations"])
    if field in ("category", "sme"):
        return {each for each in candidate["categories"] if field == "category" or each == "sme"}
    return {candidate[field]} - {""}


def rows_of(asked, without: frozenset[str] = frozenset()):
    """The rules as sums: (member -> what it takes, least, most, code of the limit or "", unit, year).

    ``without``: codes of limits whose minimum cannot be reached.
    """
    sums = [{year: kopecks(text) for year, text in each["asked"].items()} for each in asked["candidates"]]
    of = [each["track"] for each in asked["candidates"]]
    wanted_years = {(of[at], year) for at, years in enumerate(sums) for year, amount in years.items() if amount}
    for track, year in sorted({*asked["money"], *wanted_years}):
        takes = {at: s[year] for at, s in enumerate(sums) if of[at] == track and s.get(year)}
        yield takes, None, asked["money"].get((track, year), 0), "", "", year
    for limit in asked["limits"]:
        whole = sum(amount for (track, _year), amount in asked["money"].items() if limit["track"] in ("", track))
        wanted = "sme" if limit["field"] == "sme" else limit["value"].strip()
        found: dict[str, dict[int, int]] = {} if wanted == "*" else {wanted: {}}
        for at, each in enumerate(asked["candidates"]):
            for group in groups(each, limit["field"]) if limit["track"] in ("", each["track"]) else ():
                if wanted in ("*", group):
                    found.setdefault(group, {})[at] = 1 if limit["unit"] == "projects" else sum(sums[at].values())
        factor = {"projects": Fraction(1), "roubles": Fraction(100), "percent": Fraction(whole, 100)}[limit["unit"]]
        least = None if limit.get("least") is None else ceil(Fraction(Decimal(limit["least"])) * factor)
        most = None if limit.get("most") is None else floor(Fraction(Decimal(limit["most"])) * factor)
        for _group, takes in sorted(found.items()):
            yield takes, None if limit["code"] in without else least, most, limit["code"], limit["unit"], ""


def walked(asked) -> dict[int, dict[str, int]]:
    """Down the ranking: who breaks an upper limit is passed over; lack of money ends a track, or passes over too."""
    rows = list(rows_of(asked))
    left = [row[2] for row in rows]
    given: dict[int, dict[str, int]] = {}
    ended: set[str] = set()
    for at, each in enumerate(asked["candidates"]):
        if each["track"] in ended:
            continue
        wanted = {year: kopecks(text) for year, text in each["asked"].items() if kopecks(text)}
        mine = [(place, row) for place, row in enumerate(rows) if at in row[0] and row[2] is not None]
        short = [row for place, row in mine if row[0][at] > left[place]]
        granted = wanted
        if short:
            counted = any(row[4] == "projects" for row in short)
            partly = asked["policy"] == "partial" and each.get("least") is not None and not counted
            granted = part_of(each["least"], wanted, mine, left) if partly else {}
        if granted:
            given[at] = granted
            for place, row in mine:
                taken = sum(granted.values()) if row[3] else granted.get(row[5], 0)
                left[place] -= 1 if row[4] == "projects" else taken
        elif asked["policy"] == "strict" and not any(row[3] for row in short):
            ended.add(each["track"])
    return given


def part_of(least, wanted, mine, left) -> dict[str, int]:
    """As much of each year as there is; what limits in roubles forbid is cut from the last year on."""
    years = {row[5]: left[place] for place, row in mine if not row[3]}
    part = {year: min(amount, years[year]) for year, amount in wanted.items()}
    floors = {year: kopecks(least.get(year, "0")) for year in part}
    room = [left[place] for place, row in mine if row[3] and row[4] != "projects"]
    over = max(sum(part.values()) - min(room), 0) if room else 0
    for year in sorted(part, reverse=True):
        cut = min(over, max(part[year] - floors[year], 0))
        part[year] -= cut
        over -= cut
    if over or any(part[year] < floors[year] for year in part):
        return {}
    return {year: amount for year, amount in part.items() if amount}


def best(report: Report, place: str, asked, said, gap=Fraction(0)) -> tuple[dict[int, dict[str, int]], Fraction]:
    """Whole requests with the most points of all, of several such sets the first in rank order.

    ``gap``: the share of the best total up to which the portal did not prove that there is nothing better. Also gives
    the share that is missing, or left unproven here, where the search ends by its clock.
    """
    try:
        import highspy  # noqa: F401
    except ImportError:
        raise Skip(report.text("no_highspy")) from None
    candidates = asked["candidates"]
    points, chosen = whole_points(candidates), {at for at, amounts in said.items() if amounts}
    unreachable: set[str] = set()
    for limit in asked["limits"]:
        later = {each["code"] for each in asked["limits"][asked["limits"].index(limit) + 1 :]}
        if limit.get("least") is not None:
            rows = list(rows_of(asked, frozenset(unreachable | later)))
            if optimum(rows, [0] * len(points), {}) is None:
                unreachable.add(limit["code"])
    rows = list(rows_of(asked, frozenset(unreachable)))
    for takes, least, most, code, _unit, year in rows:
        used = sum(take for at, take in takes.items() if at in chosen)
        if (most is not None and used > most) or (least is not None and used < least):
            report.differs(f"{place} {code or year}", used, f"{least}..{most}")
    value = sum(points[at] for at in chosen)
    most_points, bound = optimum(rows, points, {}) or (0, 0)
    if most_points - value > gap * most_points:
        report.differs(f"{place} best total", value, most_points)
    elif most_points == value == bound and len(candidates) <= FEW:
        earlier = _earlier(rows, points, chosen)
        if earlier is not None:
            report.differs(f"{place} {candidates[earlier]['number']} outcome", "reserve", "award")
    whole = [{year: kopecks(text) for year, text in each["asked"].items() if kopecks(text)} for each in candidates]
    return {at: whole[at] for at in chosen}, Fraction(max(bound - value, 0), max(bound, 1))


def _earlier(rows, points, chosen: set[int]):
    """The first candidate that an equally good set would contain and this one does not."""
    value, fixed = sum(points[at] for at in chosen), {}
    for at in range(len(points)):
        other = None if at in chosen else optimum(rows, points, {**fixed, at: 1})
        if other is not None and other[0] == value:
            return at
        fixed[at] = int(at in chosen)
    return None


def optimum(rows, points, fixed):
    """The most points under all rows in whole steps that HiGHS found, and how many there are at most: the same, unless
    the clock ended it. None when the rows cannot be kept together."""
    import highspy
    import numpy as np

    solver, count = highspy.Highs(), len(points)
    solver.setOptionValue("output_flag", False)
    for option, value in (("threads", 1), ("mip_rel_gap", 0.0), ("mip_abs_gap", 0.0), ("time_limit", SECONDS)):
        solver.setOptionValue(option, value)
    for at in range(count):
        solver.addVar(fixed.get(at, 0), fixed.get(at, 1))
    columns = np.arange(count, dtype=np.int32)
    solver.changeColsCost(count, columns, np.array([-float(each) for each in points]))
    solver.changeColsIntegrality(count, columns, np.array([highspy.HighsVarType.kInteger] * count))
    for takes, least, most, *_ in rows:
        if not takes:
            if least is not None and least > 0:
                return None
            continue
        # Divided by what they have in common and a power of two, so that floats hold them exactly.
        divisor = max(gcd(*takes.values()), 1)
        scale = 2.0 ** max((max(takes.values()) // divisor).bit_length() - 4, 0)
        low = -highspy.kHighsInf if least is None else -(-least // divisor) / scale
        high = highspy.kHighsInf if most is None else most // divisor / scale
        index = np.array(sorted(takes), dtype=np.int32)
        solver.addRow(low, high, len(index), index, np.array([takes[at] // divisor / scale for at in sorted(takes)]))
    solver.run()
    status = solver.getModelStatus()
    if status == highspy.HighsModelStatus.kInfeasible:
        return None
    if status == highspy.HighsModelStatus.kModelEmpty:
        return 0, 0
    chosen = {at for at, taken in enumerate(solver.getSolution().col_value) if taken > 0.5}
    found = sum(points[at] for at in chosen)
    if status == highspy.HighsModelStatus.kOptimal:
        return found, found
    if status != highspy.HighsModelStatus.kTimeLimit or not _kept(rows, chosen):
        raise Skip(solver.modelStatusToString(status))
    return found, max(floor(-solver.getInfo().mip_dual_bound + 1e-6), found)


def _kept(rows, chosen: set[int]) -> bool:
    used = [(sum(take for at, take in takes.items() if at in chosen), least, most) for takes, least, most, *_ in rows]
    return all((least is None or sum_ >= least) and (most is None or sum_ <= most) for sum_, least, most in used)


# What was decided later, and which line stands.


def chain(report: Report, track: Track, sides: list[Track], found: Trail) -> list[object]:
    """Each later decision names the one before, its digest covers its lines, and the lines that stand follow.

    ``sides``: the tracks that share limits, this one among them.
    """
    decisions, allocated, place = track.read("decisions"), track.read("allocation"), track.where("decisions")
    first, lines = decisions[0], allocated["covered"]["lines"]
    report.same(f"{place} 1", [first["number"], first["kind"], first["digest"]], [1, "first", allocated["digest"]])
    ranked = [allocated["numbers"][line["application"]] for line in lines]
    stands = {number: (1, line["outcome"], line["amounts"]) for number, line in zip(ranked, lines)}
    for before, each in pairwise(decisions):
        where = f"{place} {before['number'] + 1}"
        _linked(report, found, where, before, each)
        changed = {allocated["numbers"][line["application"]]: line for line in each["covered"]["lines"]}
        report.same(f"{where} lines", list(changed), sorted(changed, key=ranked.index))
        if each["kind"] == "supplementary":
            _moved_up(report, where, track, sides, stands, list(changed))
        for number, line in changed.items():
            now = (each["number"], line["outcome"], line["amounts"])
            if now[1:] == stands[number][1:] or (now[1] == "award") != bool(now[2]):
                report.differs(f"{where} {number}", [now[1], now[2]], list(stands[number][1:]))
            if each["kind"] == "supplementary":
                asked = track.submissions[number]["amounts"]
                whole = {year: kopecks(amount) for year, amount in asked.items() if kopecks(amount)}
                given = {year: kopecks(amount) for year, amount in line["amounts"].items()}
                report.same(f"{where} {number}", [line["outcome"], given], ["award", whole])
            stands[number] = now
    for each in decisions:
        rows = found.about("awards:decision:publish", each["key"])
        _told(report, found, f"{place} {each['number']} publish", each["digest"], rows, "digest")
    _standing(report, track, ranked, stands)
    return [track.name, len(decisions), len(ranked)]


def _moved_up(report: Report, where: str, track: Track, sides: list[Track], stands, changed: list[str]) -> None:
    """Who moves up stands first on the reserve list, but for whoever would break a maximum; and breaks none itself.

    A bundle does not tell the order of refusals and of the other track's decisions with this one: who moves up is held
    against the least that may have counted then, who was passed over against the most.
    """
    reserve = [number for number, (_decision, outcome, _amounts) in stands.items() if outcome == "reserve"]
    rows, low, high = _maximums(sides), *_counted(track, sides, stands)
    waiting, submissions = [number for number in changed if number in reserve], track.submissions
    right: list[str] = []
    for number in reserve:
        if len(right) == len(waiting):
            break
        whole = sum(kopecks(amount) for amount in submissions[number]["amounts"].values())
        if number in changed:
            low[number] = high[number] = whole
            for code, used, most in _over(rows, low, number):
                report.differs(f"{where} {number} {code}", used, f"..{most}")
        elif any(_over(rows, {**high, number: whole}, number)):
            continue
        right.append(number)
    report.same(f"{where} reserve list", changed, right)


def _maximums(sides: list[Track]):
    """The limits of the rules with an upper bound: (code, unit, members by number, bound)."""
    held = [
        {**each, **each["groups"], "track": side.name, "asked": each["amounts"]}
        for side in sides
        for each in side.submissions.values()
        if "groups" in each
    ]
    money = {
        (side.name, year): max(kopecks(amount), 0)
        for side in sides
        for year, amount in side.read("allocation")["covered"]["available"].items()
    }
    asked = {"candidates": held, "money": money, "limits": all_limits(sides)}
    return [
        (code, unit, {held[at]["number"] for at in takes}, most)
        for takes, _least, most, code, unit, _year in rows_of(asked)
        if code and most is not None
    ]


def _counted(track: Track, sides: list[Track], stands) -> tuple[dict[str, int], dict[str, int]]:
    """Kopecks of each award at least and at most, when a decision on a track was made."""
    low: dict[str, int] = {}
    high: dict[str, int] = {}
    for side in sides:
        numbers = side.read("allocation")["numbers"]
        decided = [side.read("allocation"), *side.read("decisions")[1:]]
        said = {number: [amounts] for number, (_decision, _outcome, amounts) in stands.items()}
        if side is not track:
            said = {}
            for line in (line for each in decided for line in each["covered"]["lines"]):
                said.setdefault(numbers[line["application"]], []).append(line["amounts"])
        refused = {number for _posting, number in side.read("postings").get("refused", [])}
        for number, amounts in said.items():
            sums = [sum(kopecks(amount) for amount in each.values()) for each in amounts]
            low[number], high[number] = 0 if number in refused else min(sums), max(sums)
    return low, high


def _over(rows, given: dict[str, int], number: str):
    """The maximums that count an application and are broken: (code, what counts, bound)."""
    for code, unit, members, most in rows:
        if number in members:
            amounts = [given[each] for each in members if given.get(each)]
            used = len(amounts) if unit == "projects" else sum(amounts)
            if used > most:
                yield code, used, most


def _linked(report: Report, found: Trail, where: str, before, each) -> None:
    """A later decision follows the one before, and says what its digest and the trail say."""
    covered = each["covered"]
    report.same(f"{where} number", each["number"], before["number"] + 1)
    report.same(f"{where} digest", each["digest"], digest(covered))
    right = {"follows": before["digest"], "number": before["number"] + 1, "kind": each["kind"]}
    report.same(f"{where} covered", {name: covered[name] for name in right}, right)
    if each["kind"] not in ("supplementary", "correction") or not covered["grounds"]:
        report.differs(f"{where} kind", [each["kind"], covered["grounds"]], "supplementary, correction")
    if datetime.fromisoformat(each["published_at"]) <= datetime.fromisoformat(before["published_at"]):
        report.differs(f"{where} published_at", each["published_at"], "> " + before["published_at"])
    rows = found.about("awards:decision:amend", each["key"])
    for name, value in {**right, "digest": each["digest"], "follows": before["key"]}.items():
        _told(report, found, f"{where} {name}", value, rows, name)


def _standing(report: Report, track: Track, ranked, stands) -> None:
    """What the bundle says of each application is the last decision on it, or that its award was refused."""
    refused = {number for _posting, number in track.read("postings")["refused"]}
    said = track.read("standing")
    report.same(track.where("standing"), [each["number"] for each in said], ranked)
    for each in said:
        number, outcome, amounts = stands[each["number"]]
        gone = each["number"] in refused
        if gone and outcome != "award":
            report.differs(f"{track.where('postings')} refused {each['number']}", outcome, "award")
        right = {"number": each["number"], "decision": number, "outcome": outcome, "amounts": amounts, "refused": gone}
        report.same(f"{track.where('standing')} {each['number']}", each, right)


def addenda(report: Report, track: Track, found: Trail) -> list[object]:
    """The scenarios that the list cites are those of the trail, by the digests of changes, ground and list."""
    held, decision = track.read("addenda"), track.read("decisions")[0]["key"]
    report.same(track.where("addenda"), [each["addendum"] for each in held], list(range(1, len(held) + 1)))
    known = {each["key"] for each in held}
    for (tag, key), rows in found.rows.items():
        if (
            tag == "awards:scenario:cite"
            and key not in known
            and any(x["changes"]["decision"] == decision for x in rows)
        ):
            report.differs(track.where("addenda"), "—", key)
    for each in held:
        rows = [row["changes"] for row in found.about("awards:scenario:cite", each["key"])]
        rows = [row for row in rows if row["decision"] == decision]
        # Rows of before November 2026 name the digest of the list alone.
        if not (found.cut and not rows) and not any(_said_of(each, row) for row in rows):
            report.differs(f"{track.where('addenda')} {each['addendum']} (audit.json)", each, rows)
    return [track.name, len(held)]


def _said_of(each, row) -> bool:
    return all(row[name] == each[name] for name in ("addendum", "changes", "ground", "result", "same") if name in row)


def former(report: Report, files: dict[str, bytes], path: str) -> list[object]:
    """An earlier version is the one that this one follows, or has the first of its decisions, unchanged."""
    with open(path, "rb") as file:
        content = file.read()
    earlier, about = entries(content), json.loads(files["tender.json"])
    told = json.loads(earlier["tender.json"])
    report.same(f"{path} code", told["code"], about["code"])
    if told.get("version", 1) == about["version"] - 1:
        report.same("tender.json former", about["former"], sha256(content))
    if JOINT in earlier and files.get(JOINT) != earlier[JOINT]:
        report.differs(JOINT, sha256(files.get(JOINT, b"")), sha256(earlier[JOINT]))
    for name in told["tracks"]:
        for file in ("rules", "run", "submissions", "reviews", "sheets", "ranking", "allocation", "draw", "addenda"):
            place = f"tracks/{name}/{file}.json"
            if place in earlier and files.get(place) != earlier[place]:
                report.differs(place, sha256(files.get(place, b"")), sha256(earlier[place]))
        place = f"tracks/{name}/decisions.json"
        before = json.loads(earlier[place]) if place in earlier else []
        report.same(place, json.loads(files[place])[: len(before)], before)
    return [path]


# The ledger and the trail.


class Trail:
    """The rows of the audit trail that are shown, by what they are about; ``cut``: earlier ones are left out."""

    def __init__(self) -> None:
        self.cut = False
        self.rows: dict[tuple[str, str], list[dict]] = {}
        self.hashes: dict[int, str] = {}

    def about(self, tag: str, key: str):
        return self.rows.get((tag, key), [])

    def all(self, tag: str):
        return [row for (name, _key), rows in self.rows.items() if name == tag for row in rows]


def trail(report: Report, files: dict[str, bytes], found: Trail) -> list[object]:
    """Each row continues the one before, up to the head; a row that is shown has the digest that the chain has."""
    held = json.loads(files["audit.json"])
    found.cut = held["cut"]
    previous, seq = held["previous"], held["first"]
    for row in held["rows"]:
        inner = row
        if isinstance(row, dict):
            closed = {key: value for key, value in row.items() if key != "salt"}
            inner = digest({**closed, "changes": digest([row["salt"], row["changes"]])})
            report.same(f"audit.json {seq} seq", row["seq"], seq)
            found.rows.setdefault((row["tag"], row["object_id"]), []).append(row)
        previous = sha256((previous + inner).encode())
        found.hashes[seq] = previous
        seq += 1
    report.same("audit.json head", held["head"], {"seq": seq - 1, "hash": previous})
    return [len(held["rows"]), seq - 1]


def witnessed(report: Report, track: Track, found: Trail) -> None:
    """What the files say is what the trail says of it."""
    run = track.read("run")
    for number, each in track.submissions.items():
        rows = [row for row in found.all("applications:application:submit") if row["changes"]["number"] == number]
        _told(report, found, f"{track.where('submissions')} {number} sha256", each["sha256"], rows, "sha256")
    if run["manifest"] is not None:
        rows = found.about("scoring:run:end", run["manifest"]["run"])
        _told(report, found, f"{track.where('run')} output", run["output"], rows, "output")
        _told(report, found, f"{track.where('run')} rules", run["rules_digest"], rows, "rules")
    decided = track.read("allocation")["digest"]
    for tag in ("awards:decision:draft", "awards:decision:publish"):
        known = track.where("decisions") in track.raw
        rows = found.about(tag, track.read("decisions")[0]["key"]) if known else found.all(tag)
        _told(report, found, f"{track.where('allocation')} digest ({tag})", decided, rows, "digest")
    for each in track.read("allocation").get("offers", []):
        rows = [row for tag in OFFERS for row in found.all(tag) if row["changes"]["number"] == each["number"]]
        rows = [row for row in rows if row["changes"]["amounts"] == each["offered"]]
        _told(
            report,
            found,
            f"{track.where('allocation')} {each['number']} offer",
            ANSWERS[each["answer"]],
            rows,
            "answer",
        )
    for each in track.read("draw") if track.where("draw") in track.raw else ():
        rows = found.all("scoring:draw:commit")
        _told(report, found, f"{track.where('draw')} commitment", each["commitment"], rows, "digest")
        if each["randomness"] is not None:
            rows = found.all("scoring:draw:enter")
            _told(report, found, f"{track.where('draw')} randomness", each["randomness"], rows, "randomness")


def _told(report: Report, found: Trail, where: str, value: str, rows, name: str) -> None:
    """One of the rows says so; where the trail is cut, the row may stand before its first one."""
    told = [row["changes"][name] for row in rows]
    if value not in told and not (found.cut and not told):
        report.differs(f"{where} (audit.json)", value, told)


def postings(report: Report, track: Track, found: Trail) -> list[object]:
    """Every award is booked in its years, what a later decision or a refusal frees is given back, and no more.

    The lines of each posting sum to zero in each envelope; of the money that is available none is below zero.
    """
    witnessed(report, track, found)
    held, place = track.read("postings"), track.where("postings")
    allocated = track.read("allocation")
    numbers, decisions = allocated["numbers"], [allocated]
    decisions += track.read("decisions")[1:] if "later" in held else []
    moved, count = [], 0
    stands: dict[str, dict[str, Decimal]] = {}
    later = {each["decision"]: each for each in held.get("later", ())}
    report.same(f"{place} later", sorted(later), list(range(2, len(decisions) + 1)))
    for at, decision in enumerate(decisions, start=1):
        lines = {numbers[line["application"]]: line["amounts"] for line in decision["covered"]["lines"]}
        right = {number: _sums(amounts) for number, amounts in lines.items() if amounts}
        freed = {number: stands[number] for number in lines if stands.get(number)}
        here = {"awards": held["awards"], "freed": []} if at == 1 else later[at]
        where = place if at == 1 else f"{place} {at}"
        count += _booked(report, track, found, where, here["awards"], right, 1, moved)
        count += _booked(report, track, found, f"{where} freed", here["freed"], freed, -1, moved)
        stands |= {number: _sums(amounts) for number, amounts in lines.items()}
    gone = held.get("refused", [])
    returned = {number: stands.get(number, {}) for _key, number in gone}
    count += _booked(report, track, found, f"{place} refused", gone, returned, -1, moved)
    if "after" in held:
        _within(report, place, held, moved, found.cut)
    return [track.name, count]


def _sums(amounts) -> dict[str, Decimal]:
    return {year: Decimal(amount) for year, amount in amounts.items()}


def _booked(report, track, found, place, listed, right, sign, moved) -> int:
    """The postings say these amounts of these applications, by year; ``sign``: -1 where they give back."""
    held, booked, earlier = track.read("postings"), {}, set()
    for key, number in listed:
        told = _posted(report, found, f"{place} {number}", key, "reserve" if sign > 0 else "release")
        if told is None:
            earlier.add(number)
            continue
        sums: dict[str, Decimal] = {}
        for envelope, account, amount in told["lines"]:
            sums[envelope] = sums.get(envelope, Decimal(0)) + Decimal(amount)
            if account == "reserved":
                years = booked.setdefault(number, {})
                year = str(held["envelopes"][envelope])
                years[year] = years.get(year, Decimal(0)) + Decimal(amount) * sign
            elif account == "available":
                moved.append((told["number"], told["transaction"], key, envelope, Decimal(amount)))
        for envelope, total in sums.items():
            if total:
                report.differs(f"{place} {number} {envelope}", str(total), "0")
    for number in sorted({*booked, *right} - earlier):
        if booked.get(number, {}) != right.get(number, {}):
            said, wanted = ({y: f"{a:.2f}" for y, a in x.get(number, {}).items()} for x in (booked, right))
            report.differs(f"{place} {number}", said, wanted)
    return len(listed) - len(earlier)


def _posted(report: Report, found: Trail, place: str, key: str, kind: str):
    """What the trail says of a posting; None where it stands before the first row that is shown."""
    rows = found.about("budget:posting:post", key)
    if found.cut and not rows:
        return None
    if len(rows) != 1:
        report.differs(place, len(rows), 1)
        return {"lines": []}
    report.same(f"{place} kind", rows[0]["changes"]["kind"], kind)
    return rows[0]["changes"]


def _within(report: Report, place: str, held, moved, cut: bool) -> None:
    """What is left after each posting is not below zero; within a transaction it follows from what was left before."""
    left: dict[tuple[int, str], Decimal] = {}
    shown = {key for _at, _in, key, *_ in moved}
    if not (cut and shown <= held["after"].keys()):
        report.same(f"{place} after", sorted(held["after"]), sorted(shown))
    for _number, transaction, key, envelope, amount in sorted(moved):
        where = f"{place} after {key} {held['envelopes'][envelope]}"
        after = Decimal(held["after"][key][envelope])
        if after < 0:
            report.differs(where, str(after), ">= 0")
        before = left.get((transaction, envelope))
        if before is not None and before + amount != after:
            report.differs(where, str(after), str(before + amount))
        left[transaction, envelope] = after


def heads(report: Report, path: str, found: Trail) -> list[object]:
    """The heads that the portal published: signed, and those within the bundle's rows are these rows."""
    with open(path, encoding="utf-8") as file:
        feed = json.load(file)
    inside = 0
    for each in feed["heads"]:
        said = {key: each[key] for key in ("format", "day", "seq", "hash", "at")}
        if not signed(each["public_key"], each["signature"], canonical(said)):
            report.differs(f"{path} {each['day']}", each["signature"], "Ed25519")
        if each["seq"] in found.hashes:
            inside += 1
            report.same(f"audit.json {each['seq']} ({each['day']})", found.hashes[each["seq"]], each["hash"])
    return [len(feed["heads"]), inside]


def mine(report: Report, tracks: list[Track], found: Trail, number: str, sha: str | None) -> None:
    """Whether an application is inside, as it was submitted."""
    for track in tracks:
        held = track.submissions.get(number)
        if held is None:
            continue
        ranked = next(each for each in track.read("ranking") if each["number"] == number)
        allocated = track.read("allocation")
        line = next(x for x in allocated["covered"]["lines"] if allocated["numbers"][x["application"]] == number)
        stands = (
            [x for x in track.read("standing") if x["number"] == number] if track.where("standing") in track.raw else []
        )
        last = stands[0] if stands else line
        outcome = report.text("refused" if last.get("refused") else last["outcome"])
        print("\n" + report.text("inside", number, track.name, ranked["place"], ranked["total"], outcome))
        for row in found.all("applications:application:submit"):
            if row["changes"]["number"] == number and row["changes"]["sha256"] == held["sha256"]:
                print(report.text("sealed_at", row["seq"]))
        if sha is not None and held["sha256"] != sha.lower():
            place = f"{track.where('submissions')} {number} sha256"
            report.found.append(report.text("said", place, held["sha256"], sha.lower()))
        return
    report.found.append(report.text("not_inside", number))


def check(path: str, options: argparse.Namespace) -> int:
    report = Report(options.lang)
    files: dict[str, bytes] = {}
    try:
        with open(path, "rb") as file:
            content = file.read()
    except OSError as error:
        print(report.text("no_bundle", path, error))
        return 2
    print(report.text("bundle", path, sha256(content)) + "\n")

    def opened() -> list[object]:
        files.update(container(report, content))
        return [len(files)]

    report.stage("container", path, opened)
    if not files:
        print(report.text("no_bundle", path, report.found[0]))
        return 2
    report.stage("digests", MANIFEST, lambda: manifest(report, files))
    report.stage("signature", SIGNATURE, lambda: signature(report, files, options.key))
    found = Trail()
    report.stage("trail", "audit.json", lambda: trail(report, files, found))
    tracks: list[Track] = []

    def about() -> None:
        tracks.extend(Track(name, files) for name in json.loads(files["tender.json"])["tracks"])

    report.stage("", "tender.json", about)
    check_tracks(report, tracks, found, joint=JOINT in files)
    if options.former:
        report.stage("former", options.former, lambda: former(report, files, options.former))
    if options.heads:
        report.stage("heads", options.heads, lambda: heads(report, options.heads, found))
    if options.number:
        mine(report, tracks, found, options.number, options.sha256)
    if report.found:
        print("\n" + report.text("differences", len(report.found)) + "\n" + report.text("place", report.found[0]))
        return 1
    print("\n" + report.text("all_holds"))
    return 0


def check_tracks(report: Report, tracks: list[Track], found: Trail, *, joint: bool) -> None:
    """One track after the other; where limits count them together, first what is of each, then the decisions."""
    for track in tracks:
        check_scores(report, track)
        if not joint:
            check_decision(report, track, [track], found)
    if joint:
        report.stage("joint", JOINT, lambda: over_all(report, tracks))
        for track in tracks:
            check_decision(report, track, tracks, found)


def check_scores(report: Report, track: Track) -> None:
    for name, file, work in (
        ("inputs", "run", inputs),
        ("calibration", "calibration", calibration),
        ("scores", "sheets", scores),
        ("draw", "draw", draw),
        ("ranking", "ranking", ranking),
    ):
        if file not in ("calibration", "draw") or track.where(file) in track.raw:
            report.stage(name, track.where(file), lambda work=work: work(report, track))


def check_decision(report: Report, track: Track, sides: list[Track], found: Trail) -> None:
    report.stage("allocation", track.where("allocation"), lambda: allocation(report, track, sides))
    report.stage("postings", track.where("postings"), lambda: postings(report, track, found))
    if json.loads(track.raw["tender.json"])["format"] > 1:
        report.stage("chain", track.where("decisions"), lambda: chain(report, track, sides, found))
        report.stage("addenda", track.where("addenda"), lambda: addenda(report, track, found))


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("bundle")
    parser.add_argument("--number")
    parser.add_argument("--sha256")
    parser.add_argument("--heads")
    parser.add_argument("--key")
    parser.add_argument("--former")
    russian = os.environ.get("LC_ALL") or os.environ.get("LANG") or ""
    parser.add_argument("--lang", choices=("ru", "en"), default="ru" if russian.startswith("ru") else "en")
    options = parser.parse_args()
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(encoding="utf-8", errors="replace")
    return check(options.bundle, options)


if __name__ == "__main__":
    sys.exit(main())
