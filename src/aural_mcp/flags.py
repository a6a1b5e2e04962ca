"""Turns that try to influence who scores them: shown to a person, never judged, and no score is changed.

A text is read as a model might read it: without what cannot be seen, in one spelling, and decoded where it hides in
an encoding. A phrase counts where it is an order to the reader. It does not where somebody tells of it ("an attacker
might write ..."), as honest candidates do. Somebody who knows these rules can write around them.
"""

from __future__ import annotations

import base64
import codecs
import math
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache

from aural_mcp import safety
from aural_mcp.models import Message, ReportMessage

UNSEEN = "contains text that cannot be seen"
ENCODED = "hides such words by spelling or encoding"
SYSTEM = "imitates a message of the system"
REASONS = {
    "speaks": "speaks to the scorer or an AI",
    "score": "asks for a score",
    "prompt": "asks for the system prompt",
    "role": "gives the AI another role",
    "system": SYSTEM,
}
LONG, FASTEST, TOGETHER = 300, 40, 0.5
"""Characters of a long answer; characters a second that nobody types or says; seconds between two turns that were
stored together, and tell nothing."""


@dataclass(frozen=True)
class Flag:
    """A turn, counted from 1, and what a person should know about it."""

    turn: int
    reasons: tuple[str, ...]


def flags(messages: Sequence[Message]) -> list[Flag]:
    """The candidate's turns that try to influence a score, or came faster than anybody types."""
    found: list[Flag] = []
    for turn, message in enumerate(messages, 1):
        if message.role != "USER":
            continue
        why = reasons(message.content) + (_at_once(messages[turn - 2], message) if turn > 1 else ())
        if why:
            found.append(Flag(turn, why))
    return found


def reasons(text: str) -> tuple[str, ...]:
    """What in a text tries to influence a scorer, in words for a recruiter; nothing for nearly every honest text."""
    plain = _plain(text)
    found = dict.fromkeys([UNSEEN] if _unseen(text) else []) | dict.fromkeys(_orders(plain))
    for hidden in _decoded(text, plain):
        if orders := dict.fromkeys(_orders(hidden)):
            found |= orders | {ENCODED: None}
    return tuple(found)


# ── What is said ────────────────────────────────────────────────────────────────────────────────

PHRASES = r"""
speaks said : DROP : .. OWN (\w+ ){0,3}RULES
speaks order : DROP : ((all|any|every|the|these|those|of|whatever|your) )*RULES( part)?(?=ENDS)
speaks order : set put leave : aside .. RULES|.. RULES aside
speaks said : DROP : (everything|anything|all|what|RULES|the RULES) (that )?(above|before\b|negative|YOU_HAVE|prior|
  previous)
speaks said : DROP : (everything|anything|all) (that )?(the (recruiter|company|developer|interviewer)|so far|
  we (discussed|talked))
speaks order : DROP : .. (rest of this|other (content|results|candidates)|NEGATIVE|everything above|the above (and|
  text))\b
speaks order : DROP : .. ((above|previous|earlier|prior) (conversation|messages|turns|context)|your (role|training)|
  the fact that i)\b
speaks said : do don stop : ('t )?(not )?(follow|obey|apply|use|comply with) .. OWN .. RULES
speaks order : do don stop : ('t )?(not )?(follow|obey|apply|use|pay attention to) ((any|all|the|your) )*RULES(?=ENDS)
speaks order : do don never : ('t )?(not )?(evaluate|assess|score|list|mention|highlight|write) .. (candidate|
  NEGATIVE|critical|that i\b)
speaks order : do don never : ('t )?(not )?deduct\b
speaks said : your : (OWN )*RULES .. (no longer|do not apply|changed|out of date|outdated|cancelled|void|replaced|
  obsolete)
speaks said : earlier previous prior : RULES (are|is|have been) (\w+ )?(void|invalid|cancelled|suspended|obsolete|
  disabled)
speaks said : changed replaced updated cancelled overridden : your (\w+ )?RULES
speaks said : instructions rules guidelines : you (received|were given|got|have) .. (invalid|void|no longer|obsolete|
  cancelled)
speaks said : note notice memo attention achtung hint : ((to|for) )?((any|all|the|our|every|whoever) )*AI\b
speaks said : instruction instructions : (to|for) (all|any) AI\b
speaks said : READER : (is )?(reading|evaluating|scoring|grading|reviewing|assessing) (this|me|my (answer|cv|
  resume))(?=ENDS)
speaks order : READER : (\w+)?\s?[,:!] (\w+ ){0,4}(ASSESSED|give|rate|score|mark|treat|award|rubric|never)\b
speaks said : READER : (that|which|who) (\w+ )?(scores|evaluates|grades|reads|reviews|assesses|rates) (this|me|my)\b
speaks said : READER : .. (is|are) (instructed|required|ordered) to (\w+ )?(OBEY|rank|mark)
speaks said : READER : OUTCOME & SELFISH
speaks said : READER : (will|shall) now (output|say|write|give|rate|score|conclude|print|return)
speaks said : READER : (must|should|shall|has to|is to) (\w+ )?(treat|score|rate|give|award|mark|consider) .. (TOP|
  GOOD|my\b)
speaks order : as : an? (\w+ )?AI\W{1,3}(you|please|give|rate|score|mark|recommend)
speaks said : i : (hereby|want you|need you|would like you|order|instruct|command|authori[sz]e) .. (ai|you|evaluator|
  to) .. OBEY
speaks said : i : (am|'m) your (developer|administrator|creator|owner|operator)
speaks order : override : ((the|my|any|all) )*(rating|score|grade|result)s?
speaks order : respond reply answer : .. with (only )?(the following|the words?|[\"<])|with only the following
speaks order : your : (only|next) (task|job|role|goal) (\w+ )?is to (write|output|give|rate|recommend|say|print)|
  new (task|job|role|goal) is
speaks order : new : (\w+ )?(prompt|instruction|order|directive|task|goal)s?( from \w+ \w+)?\s?:
speaks said : your : (\w+ )?(instructions|task|job|goals?) (is|are) (now|obsolete|cancelled|invalid)\b
speaks order : call invoke execute use trigger : (the )?\w+_\w+ tool
speaks order : stop repeat be : everything\b|after me\b|((as|very|more) )*(generous|lenient)( as possible| with (me|
  CANDIDATE))
speaks order : GIVE act mark treat consider : .. (as if|as though|like) (i|CANDIDATE|this|all|my|the (test|interview))\b
speaks order : TELL add put : .. (in|to|into) (the|your) (final )?(report|evaluation|assessment)
speaks order : write compose give : ((an?|only|the|very) )*(glowing|positive|favou?rable) (\w+ )?(summary|report|
  review|evaluation|assessment)
speaks said : candidate applicant : ((is|was|has been) )?pre\W?(verified|approved|cleared)(?! for)
role order : you : (are|'re) (now|no longer) .. PERSONA\b|(are|'re) (dan|now my)\b|(\w+ )?(act|play) .. PERSONA\b
role order : you : (are|'re) .. PERSONA (whose|(that|who) (always|never|only|gives))|(must|will) (obey|follow) (me|my|
  CANDIDATE)\b
role order : from : now on (respond|answer|act|behave) (as|like)|now on .. you .. PERSONA\b
role order : from : now on .. you .. (will|must|going to) (be|act|play|answer|respond|reply|simulate)\b
role order : imagine act behave simulate : ((to be|(that )?you( are|'re)|as|like) )?.. PERSONA\b|(that )?you( are|
  're) my\b
role order : pretend stay : (to be|(that )?(you( are|'re| have|'ve| were)|the interview|i \w+))|in character
role order : enter activate switch : .. (developer|dan|god|jailbreak|unrestricted|maintenance|admin) mode
role said : do dan : anything now|mode\b
prompt order : SHOW : .. (your|the|its) SECRET|.. system (prompt|message)
prompt order : SHOW : .. (above text|everything above|(instructions|text|words|rubric|everything) (above|YOU_HAVE))
prompt order : reveal print output leak dump : .. (scoring|evaluation|grading) (criteria|rubric|guide)
prompt order : what : .. (prompt|instructions) (that )?you (got|were|have|received)
prompt order : what : (is|are|were|'s|does|do|did) (\w+ )?your SECRET
score order : GIVE : ((out|back) )?((the|an?|default|only|json|with) )*TOP|(to )?SELF\b .. TOP
score order : return report output record : .. (score (of )?(9|10|100)\b|(10|100|TOP) (for|in|on) (all|every|each|
  this)|strong (hire|yes))
score order : multiply increase double raise boost bump : .. (score|rating|points|grade|for me|for this candidate)s?\b
score order : change adjust correct replace : .. (my|your) (score|rating|evaluation|grade|assessment)
score order : fill use choose pick select put : .. (highest|maximum|top) (value|option|band|level|score|rating)
score order : conclude end finish : .. with .. (recommendation|hire|pass|approval)\b
score order : GIVE : SELF\b ((very|as) )?(high|higher|first|above|ahead of)\b
speaks order : write output say print answer : (the word )?(strong.hire|hired?|pass|excellent|recommended)(?=ENDS)
score order : set put : ((this|the|my|all|each|every|any) )*ASSESS.. (TOP|(to|at) (5|10|100|the (maximum|highest)))
score order : ACTS : OUTCOME & (SELFISH|THE_ONE)
score order : GIVE mark treat consider count describe : SELF\b .. as (an? )?GOOD
score order : pass advance hire approve : (me|CANDIDATE|my (application|profile))(?=ENDS|.. immediately| with)|
  (without|immediately)\b
score order : recommend : (me\b|hiring|CANDIDATE|this person|(him|her|them) for|for (immediate )?hire)
score said : this my your any every : (\w+ )?ASSESS.. DESERVES .. (TOP|first|OUTCOME|advanced|selected)
score said : candidate applicant one : (\w+ )?DESERVES .. (TOP|first|as GOOD)
score said : overall final correct : (score|rating|grade)( for .. )? ?(is|:|=|(should|must) be) ?TOP
score said : correct : (evaluation|assessment|verdict) .. is .. OUTCOME
score said : recommendation verdict : \s?([:=]|is) ?(strong.)?hire\b
score said : i : (insist on|demand) .. TOP
speaks said : only : positive .. ((about|of|for) me\b|(your|the) (assessment|evaluation|report|summary))
score said : you : (give|rate|score) me .. (good|great|high|better) (score|rating|mark|grade)
speaks said : you : (ignored|disregarded|skipped|forgot) ((the|your|all|any) )*RULES
score said : you your please whoever should must : JUDGE & VERDICT & MINE
speaks order : let : the (record|report|transcript) (show|say|state)
system line : system assistant admin administrator developer : (message|prompt|override|note)?\s?:[^\n]{1,150}?\bMATTER
system line : assistant : \s?:[^\n]*\n\W{0,3}(user|human|candidate)\s?:
system line : begin end : (admin|system|developer) (override|prompt|message|instruction|mode)
system heading : end : of (the )?(transcript|resume|document|session|context|input|interview)
system heading : instruction instructions response system : (notice|message)?\s?:?\W*(\n|$|\*)
system any : im_start im_end : \b
speaks order : OLVIDA : .. (todas|dad|anterior|previ) .. REGLAS
speaks order : OLVIDA : .. REGLAS .. (anterior|previ|evaluacion|dad)
speaks order : OLVIDA haz haga : .. rubrica|caso omiso|todo lo (anterior|que (sabes|te))
speaks order : no : (sigas|siga|apliques|aplique) .. (REGLAS|rubrica)
speaks said : nota mensaje aviso : (para|a) .. (ia|inteligencia artificial|evaluador\w*|modelo|llm)\b
speaks order : escribe escriba pon di : .. (informe|evaluacion) .. (mejor|candidat)|que soy .. mejor
role order : ahora eres actua finge : .. (evaluador|examinador|asistente|reclutador|modelo|entrevistador)
prompt order : muestra muestrame revela revelame dime imprime : .. (prompt|instrucciones) .. sistema
score order : dame deme dale ponme ponle asigna asigname otorga califica calificame puntua puntuame : .. NOTA
score said : debes debe : .. (aprobar|dar|poner|asignar)\w* .. NOTA
score order : recomienda recomiende contrata : (me|a mi|mi contratacion)\b|.. (este|el|la|mi) candidat
speaks order : VERGISS : .. (bisherig|vorherig|deine|alle) .. REGELN
speaks order : VERGISS : .. bewertungskriterien|alles (davor|vorherige|gesagte|bisherige)
speaks order : befolge befolgen beachte : .. REGELN .. nicht
speaks said : hinweis nachricht anmerkung notiz : (an|fur) .. (ki|sprachmodell|bewerter|prufsystem)\b
speaks said : achtung : ki\b
speaks order : schreibe schreib schreiben : .. (bericht|bewertung) .. (best|bewerber|kandidat)|dass ich .. best
role order : du ab : (bist )?(jetzt|nun) .. (prufer|bewerter|ki|assistent|modell|recruiter)\b
prompt order : zeige zeig nenne wiederhole verrate : .. (system ?prompt|systemanweisung)
score said : gib vergib bewerte benote musst : .. (volle punkt|hochst|best\w* (note|bewertung)|(10|zehn) (von|/) (10|
  zehn))
score order : geben vergeben bewerten : .. (volle punkt|hochst|best\w* (note|bewertung)|(10|zehn) (von|/) (10|zehn))
score order : empfiehl empfehlen : .. (kandidat\w*|mich|bewerber\w*|einstellung)\b
speaks order : OUBLIE : .. (toutes|precedent|donne) .. CONSIGNES
speaks order : OUBLIE : .. CONSIGNES .. (precedent|evaluation|donne)
speaks order : ne n : (ten(ez|s) pas compte|(applique|appliquez|suis|suivez) pas) .. CONSIGNES
speaks said : note message : (a|pour) .. (ia|intelligence artificielle|evaluateur|modele)\b
speaks order : ecris ecrivez fais faites : .. rapport .. (meilleur|candidat)|que je suis .. meilleur|comme si .. (mes|
  ma|mon)\b
role order : tu vous : (es|etes) (maintenant|desormais) .. (examinateur|evaluateur|ia|assistant|recruteur|modele)\b
prompt order : affiche affichez montre montrez revele donne : .. (prompt systeme|instructions (initiales|systeme))
score order : donne donnez mets mettez attribue attribuez : .. (note maxim|meilleure note|(10|20) ?(/|sur) ?(10|20))
score said : dois devez : .. (attribuer|donner|mettre) .. (note maxim|meilleure note|(10|20) ?(/|sur) ?(10|20))
score order : recommande recommandez : .. (candidat|embauche)
"""
"""A phrase a row: reason and kind, the words that it can begin with, what follows. ` .. ` is up to nine words of the
sentence, ` & ` both within sixteen, in any order. Spanish, German and French come last, without accents."""
PARTS = r"""
DROP = ignore disregard forget override bypass discard abandon neglect overlook skip erase dismiss
GIVE = give rate score grade mark rank award assign evaluate allocate grant hand
TELL = write say state conclude include mention make ensure
SHOW = reveal show print output repeat display tell give share leak disclose encode translate recite copy dump
OLVIDA = ignora ignore ignorad olvida olvide descarta descarte
VERGISS = ignoriere ignorieren vergiss vergessen missachte missachten
OUBLIE = ignore ignorez oublie oubliez
READER = ai llm llms model models machine evaluator grader reviewer scorer system systems whoever whatever
OBEY = (ignore|disregard|forget|skip|rate|score|recommend|pretend|act as|give (me|the|this))
OWN = (previous|prior|above|earlier|preceding|foregoing|initial|original|your|system|safety|scoring|grading|
  evaluation|assessment|manual)
RULES = (instruction|prompt|rule|guideline|guidance|direction|directive|command|rubric|criterion|criteria|restriction|
  guardrail|polic(y|ie)|guide|requirement|scoring|evaluation|question)s?
YOU_HAVE = you (were|are|have|had|got|received|know|read)
ENDS = \W*$|[.,;:!?\n\"]| (and|or|but|you|that|they|to|for|in|on|n|when|above|below|from|now|as|please|pls|u|ur)\b
NEGATIVE = (negatives?|weakness\w*|shortcomings|flaws|negative \w+)
AI = (ais?|artificial intelligence|llms?|language models?|chatgpt|(ai |llm |automated )?(evaluator|grader|scorer|
  rater)s?|(ai|llm|automated) (reviewer|screener|interviewer|recruiter|judge|examiner)s?|(ai|automated|screening|
  scoring|grading|evaluation) (\w+ )?(model|system|software|bot|tool|reader)s?)
ASSESSED = (((this|the|my|all|every) )+(candidate|applicant|answer|response|participant)s?)
SELF = (me|myself|i|it|him|her|them|this( one)?|((this|the|each|every|any|our) )?(\w+ )?(candidate|applicant|
  participant|person|interview|answer|response|question|category|criterion|competency)s?|my|everything|all)
ASSESS = (candidate|applicant|speaker|person|answer|response|interview|evaluation|assessment|session|criteri|
  competenc|categor|score|rating)
SELFISH = (me|my|mine|i (am|was|did|had|have|deserve|should|\w+ed)|i'm|((this|every|each|all|any|
  these) )+(\w+ )?(candidate|applicant|participant|interviewee|speaker|person|answer|response|interview|skill|categor|
  criteri|score)\w*|they are)\b
THE_ONE = the (candidate|applicant|speaker|participant|interviewee)
MINE = (me|my|mine|i (am|was|passed|deserve)|i'm|this( (candidate|applicant|answer|interview|person|section))?)\b
VERDICT = (full|highest|maximum|top|perfect\w*|excellent|outstanding|exceptional|ten|10|100|nine|five stars|an a|pass|
  passed|hired?|offer|final round|approved?|strong|ideal|expert)\b
JUDGE = (scor\w+|rat(e|es|ing|ings)|grad(e|es|ing)|marks?|points|evaluat\w+|assess\w*|recommend\w*|verdict|report|
  rubric|criteria|stars)\b
OUTCOME = (TOP|excellent|outstanding|exceptional\w*|perfect\w*|flawless\w*|positive(ly)?|favou?rabl[ey]|
  (as )?(an )?expert|(highly )?suitable|satisfactory|qualified|recommended|as correct|correctly|hired?|passed|
  approved|very well|(the )?(strongest|most)|best (candidate|fit|applicant|match)|bonus|points|strong \w+|brilliant|
  ideal|impressive|talented|fully met|an a(?=ENDS)|a\+|at the top|highly|exceeds|expectations|through|final round|
  next round|better than|higher than|deserve|\d\d (percent|points)|number one)\b
ACTS = give rate score grade mark rank award assign evaluate return report output record add say state write conclude
   treat consider classify describe label judge count make ensure put raise answer produce summarise summarize
   include mention tell
DESERVES = (deserves?|merits?|earns?|is worth|(must|should|shall|(has|have|needs?) to) (receive|get|be|say|state|
  conclude))
TOP = ((10|ten|100|5|five|20) ?(out of|/|of) ?(10|ten|100|5|five|20)|100 ?%|an? (9|10|ten|100)\b|strong (hire|yes)|
  (full|top|perfect|highest|maximum|max|best)( possible)? (mark|score|point|rating|grade|credit|band|evaluation|
  assessment)s?|all( the)? (points|marks)|(5|five) stars|(score|rating|grade|mark) of (at least )?(9|10|100|nine|ten|
  five)|score (9|10|100)\b(?!\x20to)|(?<!\d\x20to\x20)(?<!-)(10|ten|100|maximum|highest|top of the scale|
  maximum value)(?=\W*$|[.,;!\n\"]| (for|in|on|points?)\b))
GOOD = ((\w+ )?(correct|right|perfect|qualified|exceptional|correctly)|passed|pass|excellent|outstanding|hired|
  strong hire)
CANDIDATE = ((this|the) )?(candidate|applicant|participant)
PERSONA = (evaluator|grader|examiner|assessor|reviewer|recruiter|interviewer|judge|ai|\w*bot|model|assistant|dan|
  lenient|generous|unrestricted|unfiltered|(developer|admin|maintenance|god|dan) mode|hiring manager)
SECRET = (system|initial|original|hidden|secret|starting|internal|developer|exact) (prompt|instructions?|message|
  configuration|rules)
MATTER = (you|your|candidate|applicant|evaluat\w+|scor\w+|rating|transcript|recommend\w*|override|focus|print)\b
REGLAS = (instrucciones|indicaciones|reglas|criterios|directrices)
NOTA = (maxim\w+|mas alta|mejor nota|perfect\w+|un (10|diez)\b|(10|diez) ?(/|sobre)|con (10|diez|100)\b)
REGELN = (\w*anweisung|auftrag|auftrage|instruktion|regel|vorgabe|\w*kriteri)\w*
CONSIGNES = (instructions|consignes?|regles?|criteres?|grille)
"""
"""What the names in capitals stand for; an indented line goes on with the one above."""
SCRIPTS = r"""
speaks : (?<![们能不没会])(忽略|无视|無視|忘记|忘掉|跳过|不要(理会|遵守|按照))
  [^。!?,\n]{0,12}(指令|指示|规则|规定|标准|提示词)
speaks : (^|[,.。]|请)(在|把)?[^。,\n]{0,6}(报告|评语)[^。,\n]{0,4}写[^。\n]{0,10}(优秀|最好|候选人)
speaks : (给|致|告诉)[^。,\n]{0,4}(ai|人工智能|大模型|语言模型)[^。,\n]{0,6}(提示|说明|备注|消息|留言)
score : (^|[,.!:;。、\n]|请|直接|必须|应该|务必|然后|并|再)(给|打)[^。,\n]{0,10}(满分|最高分|(10|100|十|一百)分)
score : 请?(推荐|建议)(录用|聘用)(我|该|这位|此|本)|[把将][^。,\n]{0,10}(评|设|定)为(优秀|满分|\d+分)|候选人得分为?\d
role : 你现在是[^。,\n]{0,10}(面试官|评委|考官|评审|ai|助手|模型|推荐人|机器人)|从现在(开始|起),?你(是|扮演|将|要)
prompt : (输出|显示|告诉|透露|打印|复述)[^。,\n]{0,6}(系统提示|系统指令|初始指令)
system : (?m:^)系统(消息|提示)?:[^\n]{0,40}(候选人|评估|评分|忽略)
speaks : (निर्देश|नियम|मानदंड)\S{0,4}( को)? (अनदेखा|नज़रअंदाज|भूल) (करें|करो|कर दो|कर दें|जाओ|जाएं|जाइए|कीजिए)
speaks : (एआई|मॉडल|मूल्यांकनकर्ता)[^।\n]{0,15} के लिए (नोट|संदेश|सूचना|निर्देश)|रिपोर्ट में लिख(ें|ो|िए)
score : (पूरे|सबसे (ज्यादा|अच्छी)|अधिकतम|10 में से 10|दस में से दस)[^।\n]{0,12} (दो|दें|दीजिए)(?![ऀ-ॿ])|सिफारिश (करें|करो|कीजिए)
role : अब (आप|तुम)[^।\n]{0,15}(परीक्षक|मूल्यांकनकर्ता|एआई|सहायक|मॉडल)
prompt : सिस्टम प्रॉम्प्ट (दिखा|बता)
speaks : (?<!\w)[وف]?(تجاهل|انس|اهمل|لا تتبع) [^.\n]{0,15}(تعليمات|قواعد|معايير|توجيهات)|(?<!\w)اكتب في التقرير
speaks : (ملاحظة|رسالة|تنبيه) الى [^.\n]{0,6}(الذكاء الاصطناعي|المقيم|النموذج)
score : (?<!\w)[وف]?(اعطني|امنحني|قيم) [^.\n]{0,20}(الكاملة|اعلى|القصوى|10/10|عشرة من عشرة)|(?<!\w)[وف]?اوصي? بتوظيف
role : (?<!\w)انت الان (مقيم|محكم|مساعد|نموذج|ممتحن)
prompt : (اعرض|اظهر|اكشف|اطبع) [^.\n]{0,10}(تعليمات|موجه) النظام
"""
"""The same for languages without small letters: Chinese, Hindi, Arabic."""
TAG = re.compile(
    r"[<\[](?:\|[a-z_ ]{2,30}\|>|/?inst\]|</?sys>>"
    r"|/?(?:system(?=[\s\]>:_-])|end of [\w ]{3,20}|admin (?:request|override|note))[^\]>\n]{0,40}[\]>]"
    r"|/?(?:assistant|instructions?|prompt|(?:tool|function)[_-]\w+|transcript|rubric|answer|score)>)"
    r"|\"role\"\s?:\s?\"(?:system|assistant|tool)\"[^\n]{0,60}?\b(?:candidate|score|hire)"
)
GAP = r"(?<!\s)\w*+(?:[^\w.!?\n]++\w++){0,%d}?[^\w.!?\n]++"
NEAR = r"\W{%d,3}"
WORD = re.compile(r"[\w@$]+")
NOT_LATIN = re.compile("[\u0600-\u06ff\u0900-\u097f\u3400-\u9fff]")
MARKS = re.compile("[\u0300-\u036f\u0640\u064b-\u065f\u0670\u200c-\u200f\ufe00-\ufe0f]")


def _fold(text: str) -> str:
    """The text without accents and joiners, in compatible characters."""
    return MARKS.sub("", unicodedata.normalize("NFKD", text))


def _rows(table: str) -> list[str]:
    return table.replace("\n  ", "").strip().splitlines()


def _filled(pattern: str, parts: dict[str, str]) -> str:
    return re.sub("[A-Z_]{2,}", lambda name: parts[name[0]], pattern)


@cache
def _by_word() -> dict[str, list[tuple[str, str, re.Pattern[str]]]]:
    """The phrases by the word that they begin with: (reason, kind, what follows the word). Not needed at start."""
    parts = dict(row.split(" = ", 1) for row in _rows(PARTS))
    found: dict[str, list[tuple[str, str, re.Pattern[str]]]] = {}
    for row in _rows(PHRASES):
        label, words, rest = row.split(" : ", 2)
        reason, kind = label.split()
        rest = re.sub(r" ?\.\. ", lambda _: GAP % 9, _filled(_filled(rest, parts), parts))
        if " & " in rest:
            rest = "".join(rf"(?={GAP % 16}{part})" for part in rest.split(" & "))
        follows = re.compile(rf"\W{{0,3}}(?:{rest.replace(' ?', NEAR % 0).replace(' ', NEAR % 1)})")
        for word in _filled(words, parts).split():
            found.setdefault(word, []).append((REASONS[reason], kind, follows))
    return found


@cache
def _by_script() -> list[tuple[str, re.Pattern[str]]]:
    rows = (row.split(" : ", 1) for row in _rows(SCRIPTS))
    return [(REASONS[reason], re.compile(_fold(pattern))) for reason, pattern in rows]


# ── Whether somebody orders or tells ────────────────────────────────────────────────────────────

LEAD = (
    "(?:please|kindly|now|just|simply|then|also|only|always|immediately|instead|hereby|ok|okay|so|again|first|finally|"
    "critical|important|dear|hey|hello|hi|automated|bitte|jetzt|dann|por favor|ahora|luego|maintenant|veuillez|ensuite)"
)
TO_READER = (
    "you (?:must|should|shall|will|can|could|(?:have|need|are|are (?:instructed|required|ordered)) to)|you to|"
    r"and instead|(?:can|could|will|would) you|(?:task|job|goal) (?:now )?is to|"
    r"(?:evaluators?|ai|graders?|reviewers?) (?:\w+ )?(?:must|should|shall|will)|"
    r"(?:want|need|ask|order|instruct|command|require) the (?:\w+ ){1,5}to"
)
SUBJECT = (
    "(?:i|we|they|he|she|it|my|our|who|which|nobody|people|ich|wir|er|man|yo|nunca|je|nous|(?:user|attacker|candidate|"
    "student|pupil|agent|model|bot|llm|system|parser|customer|patient|engineer|teacher|employee)s?)"
)
TELL = (
    "(?:says?|said|saying|writes?|wrote|typed?|types|tells?|told|asks?|asked|pastes?|pasted|put|reads?|shouts?|"
    "shouted|dijo|dice|decia|sagte?|schrieb|disait|dit)"
)
COMMAND = re.compile(rf"(?:^|[^\w\s'-]|\n| -|\b(?:{TO_READER})\b)\s*(?:\b{LEAD}\b\W*)*$")
JOINED = re.compile(rf"\b(?:and|or|but|then|y|e|et|und|puis|danach|despues) (?:{LEAD} )*$")
STARTS = re.compile(rf"\W*(?:{LEAD} )*(?:please|ignore|disregard|forget|override|skip|stop|write|say|give|do)\b")
SUBJECTS = re.compile(rf"\b(?!(?:it|my|our)\b){SUBJECT}\b")
DESCRIBED = re.compile(
    rf"(?:\b{SUBJECT}\b(?:'\w+)?(?:\W+[\w']+){{0,3}}|"
    r"\b(?:to|not|never|cannot|would|could|should|must|will|might|may|can|\w+n't))\W*$"
)
ATTACK = re.compile(
    r"(?<!not )(?<!not a )(?<!not an )(?:prompt.)?\b(?:attack|inject|jailbreak|malicious|adversar|payload|red.team|"
    r"hack|exploit|phish|vulnerab|sandbox|owasp|untrusted [a-z]|pentest|penetration|regex|detection|"
    r"atacante|ataque|angreif|angriff|pirate\b)|攻击|हमला|مهاجم"
)
TOLD_BEFORE = re.compile(
    rf"(?:(?<!what )\b(?:{SUBJECT}|some(?:one|body)|e?mail|resume|cv|hacker|guidelines|rules|"
    r"(?:the|an?|one|my|our|his|her|el|la|mein|der|die|le|un) (?!hiring|recruit|interview|admin|system|evaluat|rubric)"
    rf"\w+)\b(?:\W+\w+){{0,3}}\W+{TELL}(?! you)|\b(?:prompt|line|sentence|phrase|string|trick|text|advice)s?\b"
    r"[^,;]*\bwas)\b(?:[^,;]*| ?:.*)$|[说写]:"
)
TOLD_AFTER = re.compile(
    r"[^.!?\n]{0,60}?[,\"] ?(?:i|we|he|she|they|(?:the|my|our|an?) \w+)(?: \w+){0,4} "
    rf"(?:{TELL}|say|tell|ask|repeat|promised|thought)\b"
)
NAMED = re.compile(
    rf"\b(?:{TELL}|say|written|typing|hid|hidden|contain(?:s|ed)?|lines?|words?|phrases?|strings?|sentences?|like|"
    r"such as|e\.g|for (?:example|instance)|called|decodes|try|tried|quoted|began|title|text|prompt|comment|message)\b|"
    r"\b(?:is|was|were|as)\W*$"
)
"""What comes before a quotation that somebody only mentions."""
MIDST = re.compile(r"(?:[^\"\n]{0,150}[^.!?\"\n])?\",? \w")
"""The rest of a quotation that a sentence goes on after."""
SINGLE = re.compile(r"(?:^|(?<=[\s(:,]))'(?=\w)(?!.*\w[.!?,]?'(?!\w))")
"""A single quotation mark that opens and is not closed."""
ABOUT_TAGS = re.compile(
    r"\b(?:tokens?|templates?|formats?|tags|markup|markers?|xml|html|element|escape)\b|^\W*(?:is|was) "
)
SENTENCE = re.compile(r"[.!?]\s|\n")


def _orders(plain: str) -> Iterator[str]:
    """Why a plain text counts as an order to its reader, each reason once."""
    done: set[str] = set()
    for reason, kind, start, end in _phrases(plain, done):
        head, tail = plain[max(0, start - 400) : start], plain[end : end + 200]
        if _counts(kind, head) and not _told(head, tail, tags=reason == SYSTEM):
            done.add(reason)
            yield reason


def _phrases(plain: str, done: set[str]) -> Iterator[tuple[str, str, int, int]]:
    """Each phrase of a reason that is not done: reason, kind, where it starts and ends."""
    by_word = _by_word()
    for word in WORD.finditer(plain):
        for reason, kind, rest in by_word.get(word[0], ()):
            if reason not in done and (found := rest.match(plain, word.end())):
                yield reason, kind, word.start(), found.end()
    for found in TAG.finditer(plain):
        if SYSTEM in done:
            break
        yield SYSTEM, "any", *found.span()
    if not plain.isascii() and NOT_LATIN.search(plain):
        for reason, pattern in _by_script():
            for found in pattern.finditer(plain):
                yield reason, "any", *found.span()


def _counts(kind: str, head: str) -> bool:
    """Whether a phrase after `head` is meant for the reader: `said` unless somebody does it, `order` only as one."""
    if kind in ("line", "heading"):
        line = head.rpartition("\n")[2]
        return not line.strip(" \t<[>*#=-") and (kind == "line" or len(line.strip()) > 1)
    sentence = re.split(r"[.!?:\n]", head)[-1]
    if (
        kind == "any"
        or COMMAND.search(head[-100:])
        or (JOINED.search(sentence) and (STARTS.match(sentence) or not SUBJECTS.search(sentence)))
    ):
        return True
    return kind == "said" and not DESCRIBED.search(sentence[-100:])


def _told(head: str, tail: str, *, tags: bool = False) -> bool:
    """Whether the words between head and tail are somebody else's, told by this speaker."""
    paragraph = head[head.rfind("\n") + 1 :]
    single = SINGLE.search(paragraph)
    opened = paragraph.rfind('"') if paragraph.count('"') % 2 else single.start() if single else -1
    if opened >= 0:
        before = paragraph[max(0, opened - 160) : opened]
        told = NAMED.search(before[-60:]) or ATTACK.search(before) or ATTACK.search(tail)
        return bool(told or (before.strip() and MIDST.match(tail)))
    before, after = SENTENCE.split(head)[-1], SENTENCE.split(tail)[0]
    return bool(
        TOLD_BEFORE.search(before)
        or TOLD_AFTER.match(tail)
        or any(ATTACK.search(part) or (tags and ABOUT_TAGS.search(part)) for part in (before, after))
    )


# ── How it is read ──────────────────────────────────────────────────────────────────────────────

LETTERS = str.maketrans(
    "аеорсухіѕјԁһкмтвнıοανρτυκιεβμηχ“”„«»「」『』`‘’‚",
    "aeopcyxisjdhkmtbhiovvptukiebmnx" + '"' * 10 + "'" * 3,
)
"""Letters of other alphabets that look Latin, and quotation marks in one form."""
WORDS = (
    "ignor disregard forget instruct scor system prompt rating perfect rubric grade marks point recommend evalua "
    "candida applicant maximum answer interview highest"
).split()
ROTATED = [codecs.encode(word, "rot13") for word in WORDS]
REVERSED = [word[::-1] for word in WORDS]
DIGITS = str.maketrans("013457@$", "oieastas")
SPACED = re.compile(r"\w(?:[ ._*-]\w(?!\w)){2,}")
GLUED = re.compile(
    "ignore|disregard|forget|all|any|the|your|previous|prior|above|instructions|rules|rubric|system|prompt|give|rate|"
    "score|me|this|candidate|full|marks"
)
BLOCK = re.compile(r"[\w+/-]{24,}={0,2}", re.ASCII)
INVISIBLE = f"(?:{safety.HIDDEN.pattern}|[\u200c-\u200f\u180b-\u180f\ufe00-\ufe0f\U000e0100-\U000e01ef])"
WRITTEN = re.compile(f"[\U000e0000-\U000e0fff\u202d\u202e]|{INVISIBLE}{{4,}}|(?:[A-Za-z]{INVISIBLE}){{3,}}[A-Za-z]")
"""Tags, overrides of direction, and runs; a stray soft hyphen or byte order mark came with a text that was copied."""


def _plain(text: str) -> str:
    """The text in one spelling: nothing unseen, no accents, small letters, look-alikes as Latin."""
    if text.isascii():
        return safety.outside(text).lower().replace("`", '"')
    return _fold(safety.outside(text)).casefold().translate(LETTERS)


def _unseen(text: str) -> bool:
    """Whether somebody wrote something that a person cannot see, beyond what honest scripts and emoji need."""
    if text.isascii() or not WRITTEN.search(text):
        return False
    return len(WRITTEN.findall(text)) > len(WRITTEN.findall(safety.outside(text)))


def _decoded(text: str, plain: str) -> Iterator[str]:
    """What a text says when spelling and encodings are undone, where they may hide something."""
    if re.search("[a-z][013457@$][a-z]", plain) and any(word in plain.translate(DIGITS) for word in WORDS):
        yield WORD.sub(lambda word: word[0] if word[0].isdigit() else word[0].translate(DIGITS), plain)
    if re.search(r"[ ._*-]\w[ ._*-]\w[ ._*-]", plain):
        joined = SPACED.sub(lambda run: GLUED.sub(r" \g<0> ", re.sub(r"[\W_]", "", run[0])), plain)
        yield re.sub(" +", " ", joined)
    if any(word in plain for word in ROTATED):
        yield codecs.encode(plain, "rot13")
    if any(word in plain for word in REVERSED):
        yield plain[::-1]
    if max(map(len, text.split()), default=0) < 24:
        return
    for block in BLOCK.finditer(text):
        said = _plain(_unencoded(block[0]))
        head, tail = text[max(0, block.start() - 400) : block.start()], text[block.end() : block.end() + 200]
        if any(_orders(said)) and not _told(head.lower(), tail.lower()):
            yield said


def _unencoded(block: str) -> str:
    """The text in a run of hexadecimal or base64 digits; nothing where it is none."""
    try:
        if re.fullmatch("[0-9a-fA-F]+", block):
            return bytes.fromhex(block).decode()
        digits = block.rstrip("=").translate(str.maketrans("-_", "+/"))
        return base64.b64decode(digits + "=" * (-len(digits) % 4)).decode()
    except ValueError:
        return ""


# ── How fast it came ────────────────────────────────────────────────────────────────────────────


def _at_once(before: Message, message: Message) -> tuple[str, ...]:
    """A long answer that came faster than anybody types or says it; nothing where the clock does not tell."""
    kind = message.content_type if isinstance(message, ReportMessage) else "TEXT"
    length, seconds = len(message.content), _seconds(before.timestamp, message.timestamp)
    if kind not in ("TEXT", "AUDIO") or message.content.startswith("```"):
        return ()  # code grows in an editor, before it is sent
    if length <= LONG or seconds < TOGETHER or length / seconds <= FASTEST:
        return ()
    return (f"whole answer at once: {length:,} characters within {math.ceil(seconds)} s",)


def _seconds(since: str, until: str) -> float:
    """Seconds between two RFC 3339 moments; none where one is missing or broken."""
    try:
        return (datetime.fromisoformat(until) - datetime.fromisoformat(since)).total_seconds()
    except (ValueError, TypeError):
        return 0.0
