"""What is weak about an interview before anybody takes it, in sentences; nothing is refused for it.

The rules are those of structured interviewing: one thing asked at a time, without the answer in it, nothing asked
that must not decide, a rubric that says what can be observed, and no more than fits into the time. English and
Chinese; two things asked at once in all languages of the page. Words can only hint at these: each warning quotes what
it is about.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from pydantic import MISSING

from aural_mcp.api.models import AssessmentCriterion
from aural_mcp.api.operations import CreateInterview, QuestionInput
from aural_mcp.safety import quoted

LEADING = re.compile(
    r"(?i)\b(?:don't you|do you not|wouldn't you|aren't you|isn't it|wouldn't it|surely|obviously|of course|"
    r"you (?:would )?agree|as everyone knows|right\?\s*$)|难道|是不是应该|你不觉得|显然|对吧|对不对"
)
AUXILIARY = "did|do|does|was|were|is|are|would|will|have|has|can|could"
DOUBLE = re.compile(
    r"(?i)[?？][^?？]*[?？]|\b(?:what|how|why|when|where|which|who|describe|tell|explain)\b[^.?!]*(?:,| and| or)"
    rf" (?:(?:what|how|why|when|where|which|who)(?: \w+)? (?:{AUXILIARY})|(?:{AUXILIARY}) you)\b|[?？].+(?:以及|并且)"
    r"|؟[^؟]*؟|か[。？?].*か[。？?]?\s*$"
)
JOINED = re.compile(
    "(?i)"
    + "|".join(
        rf"\b(?:{asks})\b[^.?!؟]{{5,300}}?\s(?:{joins})(?:{asks})\b"
        for joins, asks in (
            ("und |oder ", r"was|wie|warum|wann|wo|wer|welche\w?|wozu"),
            ("et |ou ", r"comment|pourquoi|quand|où|quel\w*|combien|qu['’](?:avez|est|aviez|auriez|feriez)"),
            ("[yoeu] ", r"qué|cómo|por qué|cuándo|dónde|cuál\w*|quién\w*|cuánt\w+"),
            ("e |ou ", r"o que|como|por que|quando|onde|qual|quais|quant\w+"),
            ("و", "ماذا|ما الذي|كيف|لماذا|متى|أين"),
        )
    )
)
"""What joins and what asks, before and behind it: German, French, Spanish, Portuguese, Arabic."""
PROTECTED = {
    "age": r"how old|your age|(?:what )?year (?:were you|you were) born|date of birth|when did you (?:finish|graduate)|"
    r"多大|年龄|出生|哪年毕业",
    "family": r"married|marital|husband|wife|partner's|children|kids|pregnan|maternity|family plans|childcare|"
    r"结婚|已婚|未婚|怀孕|生育|孩子|男朋友|女朋友",
    "religion or belief": r"religio|church|mosque|synagogue|pray|faith\b|宗教|信仰",
    "origin": r"where are you (?:really |originally )?from|nationality|country of birth|citizenship|"
    r"native language|mother tongue|ethnic|(?:your|what) race\b|国籍|籍贯|民族|户口|母语",
    "health": r"disabilit|illness|medical|sick days|medication|mental health|health (?:problem|condition|issue)s?|"
    r"残疾|疾病|病史|身体状况",
    "gender or orientation": r"sexual|gay\b|lesbian|transgender|your gender|性别|性取向",
    "politics or union": r"political|vote[ds]? for|union member|trade union|政治|党员|工会",
    "criminal record": r"arrest|convict|criminal record|犯罪|案底",
    "money of today": r"(?:current|previous|last) (?:salary|pay|compensation)|目前(?:的)?薪|上一份.*(?:薪|工资)",
}
PROTECTED_TOPICS = {topic: re.compile(rf"(?i)(?<![a-z])(?:{words})") for topic, words in PROTECTED.items()}
VAGUE = re.compile(
    r"(?i)^\W*(?:(?:very|really|overall|general)\W+)*(?:good|great|nice|strong|bad|culture fit|cultural fit|"
    r"fit|attitude|personality|smart|impression|passion|enthusiasm|potential|气质|态度|印象|潜力)\W*$"
)
FEWEST_WORDS = 4
"""Words of a criterion's description that can say what is observed."""
MINUTES, MINUTES_OF_CODE, OF_A_FOLLOW_UP = 3, 15, 1.5
"""Minutes that an answer takes: open, code or whiteboard, and each follow-up."""
FOLLOW_UPS = {"LIGHT": 0, "MODERATE": 1, "DEEP": 3}
"""Follow-ups that a question usually gets; Aural's limits are 0, 2 and 5."""


COMMON = frozenset(
    "about after also answer answers been candidate describe does each ever example examples explain from give gives "
    "have into know made make more most much name names other over please question says share show shows some tell "
    "than that their them then there these they thing things this those through time using walk were what when where "
    "which while will with work worked would year years your".split()
)
"""Words of four letters and more that questions and rubrics of any subject have."""
PRAISE = frozenset(
    "ability able attitude excellent general good great high level nice overall quality really skill skills solid "
    "strong very weak well 很 好 的 强 较 高 能 力 优 秀 不 错 一 般 有".split()
)
"""Words that praise and say nothing that one could see."""
WORD = re.compile(r"[\u3400-\u9fff]|[^\W\u3400-\u9fff]+")
TOLD = 3
"""Words of a criterion's description, but for its name and praise, that can say what is observed."""
UNASKED = "No question shares a word with {whose}: is it asked about?"
UNSCORED = "{which} no word with any criterion: what is it scored on?"
UNRELATED = "No question shares a word with any criterion: what are the answers scored on?"


def warnings_for(interview: CreateInterview, questions: Sequence[QuestionInput]) -> list[str]:
    """What is weak about an interview: its questions, its rubric, how these fit, its length."""
    found = [] if questions else ["It has no questions: nobody can take it."]
    if interview.objective is MISSING:
        found.append("It has no objective: follow-ups and scores have nothing to go by.")
    for number, question in enumerate(questions, 1):
        found += [f"Question {number} {said}" for said in _question(question.text)]
    criteria = [] if interview.assessment_criteria is MISSING else interview.assessment_criteria
    found += ["It has no rubric: nothing can be scored against criteria."] if not criteria else []
    for each in criteria:
        found += _criterion(each)
    return [*found, *_fit(criteria, questions), *_length(interview, questions)]


def _fit(criteria: Sequence[AssessmentCriterion], questions: Sequence[QuestionInput]) -> list[str]:
    """Criteria that no question seems to ask about, and questions that seem to serve none; other languages cannot be
    compared."""
    wanted = {each.name: _stems(f"{each.name} {each.description}") for each in criteria}
    asked = {number: _stems(_all_of(each)) for number, each in enumerate(questions, 1)}
    all_wanted, all_asked = frozenset[str]().union(*wanted.values()), frozenset[str]().union(*asked.values())
    if not all_wanted or not all_asked or _is_ideographic(all_wanted) != _is_ideographic(all_asked):
        return []
    lost = [quoted(name, 40) for name, stems in wanted.items() if stems.isdisjoint(all_asked)]
    idle = [
        number
        for number, stems in asked.items()
        if questions[number - 1].type not in ("SINGLE_CHOICE", "MULTIPLE_CHOICE") and stems.isdisjoint(all_wanted)
    ]
    if len(lost) == len(wanted) > 1 and len(idle) == len(asked) > 1:
        return [UNRELATED]
    which = f"Question {idle[0]} shares" if len(idle) == 1 else f"Questions {', '.join(map(str, idle))} share"
    return [
        *([UNASKED.format(whose=f"criteri{'on' if len(lost) == 1 else 'a'} {', '.join(lost)}")] if lost else []),
        *([UNSCORED.format(which=which)] if idle else []),
    ]


def _all_of(question: QuestionInput) -> str:
    more = question.description if question.description is not MISSING else ""
    prompts = question.follow_up_prompts if question.follow_up_prompts is not MISSING else []
    return " ".join([question.text, more or "", *map(str, prompts or [])])


def _stems(text: str) -> frozenset[str]:
    """How the telling words of a text begin; of Chinese, its pairs of characters."""
    words = [word for word in re.findall(r"[^\W\d_]{4,}", text.lower()) if word not in COMMON | PRAISE]
    runs = re.findall(r"[\u3400-\u9fff]{2,}", text)
    return frozenset(
        [*(word[:5] for word in words if word[0] < "\u3400"), *(a + b for run in runs for a, b in pairwise(run))]
    )


def _is_ideographic(stems: frozenset[str]) -> bool:
    return 2 * sum(stem[0] >= "\u3400" for stem in stems) > len(stems)


def _question(text: str) -> list[str]:
    found = [
        f"touches {topic} ({quoted(said[0], 40)}): that must not decide, so do not ask it."
        for topic, words in PROTECTED_TOPICS.items()
        if (said := words.search(text))
    ]
    if said := LEADING.search(text):
        found.append(f"leads to an answer ({quoted(said[0], 40)}): ask openly.")
    if DOUBLE.search(text) or JOINED.search(text):
        found.append("asks more than one thing: ask one, and leave the rest to follow-ups.")
    return found


def _criterion(each: AssessmentCriterion) -> list[str]:
    description = each.description or ""
    words = WORD.findall(description.lower())
    if VAGUE.search(each.name) and len(words) < 2 * FEWEST_WORDS:
        return [f"Criterion {quoted(each.name)} is a feeling: name a behaviour that shows."]
    telling = {*words} - PRAISE - {*WORD.findall(each.name.lower())}
    if len(words) < FEWEST_WORDS or len(telling) < TOLD:
        return [f"Criterion {quoted(each.name)} does not say what is observed: describe a weak and a strong answer."]
    return []


def _length(interview: CreateInterview, questions: Sequence[QuestionInput]) -> list[str]:
    limit = interview.time_limit_minutes
    if limit is MISSING or not questions:
        return []
    depth = "MODERATE" if interview.follow_up_depth is MISSING else interview.follow_up_depth
    minutes = 0.0
    for each in questions:
        own = MINUTES_OF_CODE if each.type in ("CODING", "WHITEBOARD") else MINUTES
        minutes += own + (FOLLOW_UPS[depth] * OF_A_FOLLOW_UP if each.follow_up_enabled else 0)
    if minutes <= limit:
        return []
    return [f"About {minutes:.0f} minutes of questions, but {limit} are allowed: candidates may not get through."]
