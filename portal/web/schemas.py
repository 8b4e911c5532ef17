"""What comes in as JSON: the rule set as a file. Unknown fields, wrong types and excess are refused here."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final, cast

from marshmallow import RAISE, Schema, ValidationError, fields, validate

from portal.core.errors import Problem, Problems
from portal.core.language import N_, Message

LARGEST_FILE: Final = 1024 * 1024
LONGEST_TEXT: Final = 2_000
LONGEST_LIST: Final = 200


class _Strict(Schema):
    class Meta:
        unknown = RAISE


def _text() -> fields.String:
    return fields.String(required=True, validate=validate.Length(max=LONGEST_TEXT))


def _whole(**options: Any) -> fields.Integer:
    return fields.Integer(required=True, strict=True, **options)


def _flag() -> fields.Field[Any]:
    return fields.Raw(required=True, validate=validate.OneOf([True, False]))


def _several(inner: Any) -> fields.List[Any]:
    return fields.List(inner, required=True, validate=validate.Length(max=LONGEST_LIST))


def _number(**options: Any) -> fields.Field[Any]:
    """A number as text or a whole number; its value is judged by the rules themselves."""
    return fields.Raw(required=True, **options)


class TextSchema(_Strict):
    ru = _text()
    en = _text()


class TitledSchema(_Strict):
    code = _text()
    title = fields.Nested(TextSchema, required=True)


class EligibilitySchema(TitledSchema):
    check = _text()
    severity = _text()
    source = _text()
    params = fields.Dict(keys=_text(), values=_text(), required=True, validate=validate.Length(max=10))


class CategorySchema(TitledSchema):
    source = _text()
    cap = _number(allow_none=True)
    eligible = _flag()


class ExclusionSchema(TitledSchema):
    source = _text()


class ScaleSchema(_Strict):
    kind = _text()
    points = fields.List(fields.List(fields.Raw()), validate=validate.Length(max=LONGEST_LIST))
    bands = fields.List(fields.List(fields.Raw()), validate=validate.Length(max=LONGEST_LIST))
    open_below = fields.Boolean(truthy={True}, falsy={False})
    yes = fields.Raw()
    no = fields.Raw()


class ComponentSchema(_Strict):
    metric = _text()
    scale = fields.Nested(ScaleSchema, required=True)
    share = fields.Raw()


class CriterionSchema(TitledSchema):
    weight = _number()
    source = _text()
    components = fields.List(fields.Nested(ComponentSchema), validate=validate.Length(max=LONGEST_LIST))
    aspects = fields.List(fields.Nested(TitledSchema), validate=validate.Length(max=LONGEST_LIST))


class LaneSchema(TitledSchema):
    aspects = _several(_text())
    reviewers = _whole()


class ConditionSchema(_Strict):
    test = _text()
    values = _several(_text())
    question = fields.String(allow_none=True, validate=validate.Length(max=20))
    fact = fields.String(allow_none=True, validate=validate.Length(max=20))


class QuestionSchema(TitledSchema):
    kind = _text()
    giver = _text()
    required = _flag()
    heading = fields.Nested(TextSchema)
    help = fields.Nested(TextSchema)
    options = fields.List(fields.Nested(TitledSchema), validate=validate.Length(max=LONGEST_LIST))
    max_length = fields.Integer(strict=True, allow_none=True)
    least = fields.Raw(allow_none=True)
    most = fields.Raw(allow_none=True)
    formats = fields.List(_text(), validate=validate.Length(max=LONGEST_LIST))
    condition = fields.Nested(ConditionSchema, allow_none=True)


class DocumentSchema(TitledSchema):
    need = _text()
    giver = _text()
    formats = _several(_text())
    source = _text()
    max_age_days = fields.Integer(strict=True, allow_none=True)


class KpiSchema(TitledSchema):
    unit = fields.Nested(TextSchema, required=True)
    direction = _text()
    cumulative = _flag()
    required = _flag()


class DeclarationSchema(_Strict):
    code = _text()
    statement = fields.Nested(TextSchema, required=True)


class SignOffSchema(_Strict):
    office = _text()
    above = _number()


class CommissionSchema(_Strict):
    ballot = _text()
    quorum = _several(_whole())
    sign_offs = _several(fields.Nested(SignOffSchema))
    letters_held_minutes = _whole()
    appeal_days = _whole()


class TieRulingSchema(_Strict):
    tie = _text()
    effect = _text()


class LimitSchema(TitledSchema):
    field = _text()
    value = fields.String(required=True, validate=validate.Length(max=120))
    least = _number(allow_none=True)
    most = _number(allow_none=True)
    unit = _text()


class RuleSetSchema(_Strict):
    """The shape of ``portal.tenders.ruleset.to_json``; the content is judged by ``from_json`` afterwards."""

    version = _text()
    track = _text()
    title = fields.Nested(TextSchema, required=True)
    years = _several(_whole())
    costs_from = _text()
    min_participants = _whole()
    cap_share = _number()
    project_cap = _number(allow_none=True)
    own_share_of_subsidy = _number()
    threshold = _number()
    spread_limit = _number()
    reviewers_per_application = _whole()
    notice_days = _whole()
    intake_calendar_days = _whole()
    formal_check_days = _whole()
    correction_days = _whole()
    refusal_notice_days = _whole()
    review_days = _whole()
    commission_days = _whole()
    minutes_days = _whole()
    order_days = _whole()
    publication_days = _whole()
    agreement_days = _whole()
    eligibility = _several(fields.Nested(EligibilitySchema))
    categories = _several(fields.Nested(CategorySchema))
    exclusions = _several(fields.Nested(ExclusionSchema))
    criteria = _several(fields.Nested(CriterionSchema))
    documents = _several(fields.Nested(DocumentSchema))
    kpis = _several(fields.Nested(KpiSchema))
    declarations = _several(fields.Nested(DeclarationSchema))
    tie_rules = _several(_text())
    refusal_reasons = _several(fields.Nested(TitledSchema))
    lanes = fields.List(fields.Nested(LaneSchema), validate=validate.Length(max=LONGEST_LIST))
    conflict_ties = fields.List(fields.Nested(TieRulingSchema), validate=validate.Length(max=LONGEST_LIST))
    blindness = fields.String(validate=validate.Length(max=20))
    expert_mean = fields.String(validate=validate.Length(max=20))
    commission = fields.Nested(CommissionSchema, allow_none=True)
    allotment = fields.String(validate=validate.Length(max=20))
    limits = fields.List(fields.Nested(LimitSchema), validate=validate.Length(max=LONGEST_LIST))
    smallest_part = fields.Raw()
    offer_days = fields.Integer(strict=True)
    questions = fields.List(fields.Nested(QuestionSchema), validate=validate.Length(max=LONGEST_LIST))
    confidential_parts = fields.String(validate=validate.Length(max=20))


def read_rule_set(data: bytes) -> dict[str, Any]:
    """The rule set in a file, ready for ``edit_rules``. Problems with everything that does not fit the shape."""
    loaded = _parsed(data)
    try:
        return cast(dict[str, Any], RuleSetSchema().load(loaded))
    except ValidationError as error:
        raise Problems(list(_problems(error.messages, ""))[:LONGEST_LIST]) from None


class _Inexact(ValueError):
    """A float, an infinity, or a name given twice: what JSON allows and rules must not hold."""


def _parsed(data: bytes) -> Any:
    if len(data) > LARGEST_FILE:
        raise Problems.one("too_large", "file", N_("The file is larger than 1 MB."))
    try:
        return json.loads(
            data.decode("utf-8-sig"),
            parse_float=_refuse_float,
            parse_constant=_refuse_float,
            object_pairs_hook=_once,
        )
    except _Inexact:
        message = N_('Write numbers with a fraction as text, for example "7.5", and each name only once.')
        raise Problems.one("inexact", "file", message) from None
    except UnicodeDecodeError:
        raise Problems.one("encoding", "file", N_("The file is not text in UTF-8.")) from None
    except RecursionError:
        raise Problems.one("too_deep", "file", N_("The file is nested too deeply.")) from None
    except ValueError as error:
        line = getattr(error, "lineno", 1)
        message = N_("The file is not JSON: the fault is in line %(line)s.", line=line)
        raise Problems.one("not_json", "file", message) from None


def _refuse_float(text: str) -> Any:
    raise _Inexact(text)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _Inexact
    return found


_KNOWN: Final[dict[str, tuple[str, Message]]] = {
    "Unknown field.": ("unknown", N_("This field is not known.")),
    "Missing data for required field.": ("required", N_("This field is required.")),
}
_OTHER: Final = ("wrong_type", N_("This value does not have the form that is expected here."))


def _problems(messages: Any, path: str) -> Iterator[Problem]:
    if isinstance(messages, dict):
        for name, inner in messages.items():
            step = "" if name == "_schema" else str(name)
            yield from _problems(inner, f"{path}.{step}" if path and step else path or step)
        return
    for text in messages:
        code, message = _KNOWN.get(str(text), _OTHER)
        yield Problem(code, path, message)
