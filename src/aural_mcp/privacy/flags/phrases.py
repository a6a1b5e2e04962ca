"""What those write who try to influence a scorer, as tables of patterns. `flags` says how they are read."""

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
