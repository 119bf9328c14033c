"""What kind of task a text asks for, told from its wording.

The tables below are the whole knowledge. A line names the type it speaks for, how loudly, and the
words; it counts once, however often its words come up. Words are regular expressions in lower
case, with a comma and a space between them. They are given by their beginnings, so that "summar"
finds "summarize" and "summary"; where that would find too much, a `\\b` ends the word.

This tells code from chat and a translation from a summary, which is what services differ in. It
says nothing about how hard a task is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from routing.task_types import TaskType

# At the beginning of a sentence, also after "please", "can you" and the like.
_ORDERS = r"""
translation 5: translat, übersetz, traduis, tradui[rst], traduc, traduz, tradur, vertaal, przetłumacz, перевед
translation 5: (?:say|write|put) ["'“«].{1,200}? in <language>,
    what(?:'s| is| would be) .{1,60}? in <language>\s?(?:\?|$)
summarization 5: summari[sz], sum up, condens, shorten, recap, abridg, boil (?:this|it), distil, tl;?dr,
    fass(?:e|en|t)?\b, zusammenfass, résume, riassum, sintetizz, resumir, resuma\b, перескаж, кратко,
    resume (?:el|la|los|las|lo|est[aeo]s?|o|a|os|as)\b
code_generation 3: implement, refactor, debug, code\b, program\b, compil, programmier, program[ae]
code_generation 1.5: fix, optimi[sz]e, corrige, behebe, repariere
creative_writing 3: poem, haiku, limerick, sonnet, lyrics, short stor, imagine\b, pretend, role-?play, brainstorm,
    (?:if|as if) you were an?\b, picture yourself, (?:take on|assume|embrace|play) the (?:role|part|persona)
creative_writing 1.5: (?:write|compose|craft|continue) (?:about|the story|a scene|this scene)
analysis 4: analy[sz], compar, evaluat, assess, interpret, critique, contrast, classif, categori[sz], extract,
    analiz, analis, vergleich, bewerte, évalue, evalúa, valuta\b, confronta, avalie, сравни, проанализ
analysis 2: identif, review\b, examin, investigat, diagnos, predict, forecast, decide (?:if|wh)
question_answer 3: what(?:'s|s| is| are| was| were)\b, who, when\b, where, explain, defin, tell me (?:ab|wh|how),
    was (?:ist|sind|bedeutet), w(?:er|ann|arum|ieso|elche\w?|ie)\b, wo\b, erklär, nenne, qu'est, pourquoi, quel,
    quand\b, combien, où\b, comment (?:ça|on|est|fait|faire|puis|peut|fon), qué\b, cómo, por qué, quién, cuá[nl],
    dónde, expli[qc], che cos, cos'è, perché, quando\b, dov'?e?\b, spieg, chi (?:è|ha), o que, qual\b, como\b, por que,
    quem\b, onde\b, что, почему, как\b, кто, где
question_answer 2: what, which, why, how\b, describ, list\b, name (?:the|a|an|one|two|three|some|\d), solve,
    calculat, comput[ei], estimat, find the\b, prove\b, simplify
question_answer 1.5: (?:is|are|was|were|do|does|did|has|have|am)\b, (?:can|could|will|would|should)\b(?! you)
chat 3: (?:hi+|hello|hey+|hiya|howdy|yo|hallo|servus|salut|bonjour|hola|ciao|olá|oi|привет)\b(?! world),
    good (?:morning|afternoon|evening|night), guten (?:tag|morgen|abend), buen[oa]s, bonsoir, buon(?:giorno|asera)
chat 2: (?:thanks|thank you|thx|danke|merci|gracias|grazie|obrigad[oa])\b(?! in advance), (?:good)?bye\b,
    (?:ok(?:ay)?|yes|yeah|yep|no|nope|sure|cool|great|nice|wow|lol|haha\w*|hmm+|oh)\b
general 3: rewrit, rephras, paraphras, proofread, correct (?:the|this|my), edit (?:the|this|my), reword, convert,
    format\b
general 2.5: plan\b, suggest, recommend, schedul, remind, organi[sz]e, sort (?:the|this|these), arrange
"""

# What is to be made: the first of these nouns after "write", "create", "give me", "a" and the like.
_OBJECTS = r"""
creative_writing 5: script for an? (?:\w{1,20} )?(?:video|film|movie|play|podcast),
    (?:video|film|movie|podcast|radio)[ -]script, poe[mt], stor(?:y|ies)\b, tale\b, song\b, lyric, haiku, limerick,
    sonnet, ballad, ode\b, rap\b, novel, screenplay, monologue, dialogue, joke, puns?\b, riddle, slogan, tagline,
    motto, jingle, fable, myth\b, verse, scene\b, character\b, gedicht, geschichte, märchen, lied\b, poèm, histoire,
    conte\b, chanson, poesía, cuento, historia, canción, poesia, storia, canzone, história, conto\b, стих, рассказ,
    сказк, истори
creative_writing 4: essay, paragraph about, blog, article, speech, toast\b, letter\b, e-?mail, post\b, tweet,
    caption, bio\b, biography, review\b, invitation, (?:product|job|item) description, headline, title for, ad\b,
    advert, copy\b, names? for, ideas? for, press release, newsletter, greeting, (?:einen|den) brief, aufsatz, lettre,
    carta\b, lettera, письм
code_generation 5: (?:function|script|module|snippet|regex|algorithm|decorator|macro)\b, code\b,
    class (?:that|which|named|called|with|for a|in)\b, regular expression, program(?:m|me)?\b, quer(?:y|ies)\b, api\b,
    endpoint, unit tests?, tests? (?:for|that), component\b, dockerfile, makefile,
    web ?(?:app|site|page|server|scraper), app\b, bot\b, cli\b, schema, parser, funktion, skript, programm, fonction,
    función, programa, funzione, função, функци, программ, код\b
summarization 5: summar, tl;?dr, abstract\b, synopsis, recap, rundown, zusammenfassung, résumé d, resumen,
    riassunto, resumo, пересказ
translation 5: (?:translation|übersetzung|traduction|traducción|traduzione|tradução)
analysis 5: analys[ei]s, comparison, evaluation, assessment, swot, breakdown, forecast, pros and cons
analysis 3: report\b, chart, graph\b, pivot, statistic
question_answer 3: explanation, definition, answer, examples? of, facts? about
"""

# Anywhere in what is asked, at the beginning of a word.
_WORDS = r"""
translation 5: how (?:do|would|can|to|should)\s?(?:you|i|we|one)? say\b, <language> (?:to|into) <language>
translation 2.5: translat, übersetz, traduc, tradui, traduz, (?:into|to|auf|ins?|на) <language>,
    (?:en|em|al|ao|para o|naar het) <language>(?=\W{0,3}$|[:\n])
summarization 4.5: (?:key|main) (?:takeaways?|points|ideas|findings|messages?), most important points
summarization 3: summar, tl;?dr, zusammenfass, riassun, resumen\b, in a nutshell, the gist
summarization 1.5: bullet points?,
    in (?:one|two|three|a few|\d) (?:short )?(?:sentences?|lines?|words|paragraphs?), zusammen\b,
    the (?:following|above) (?:text|article|passage|paragraph|transcript|email|document|meeting), in short
code_generation 3: python, javascript, typescript, java\b, c\+\+, c#, golang, in (?:rust|go|swift|c)\b,
    rust (?:code|program|function|crate|struct|compiler), kotlin, ruby\b, php\b, perl\b, haskell, scala\b, bash,
    powershell, shell script, sql\b, mysql, postgres, sqlite, html, css\b, react\b, vue\b, angular, svelte, node\.?js,
    express\.?js, django, flask, fastapi, rails, spring boot, laravel, numpy, dataframe, pytest, docker, kubernetes,
    terraform, nginx, git\b, github, regex, regular expression, graphql, latex, arduino
code_generation 2.5: bugs?\b, debug, stack ?trace, traceback, exception, segfault, segmentation fault,
    null ?pointer, \w{1,30}error\b, (?:syntax|compil\w{0,5}|runtime|build|import|linker) error, unit test,
    pull request, merge conflict, refactor, source code, codebase, error message, fehlermeldung,
    doesn'?t compile, not compil
code_generation 2.5: binary (?:search|tree), linked list, hash ?(?:map|table), recursi, big-?o\b, time complexity,
    data structure, dynamic programming, design pattern, rest(?:ful)? api, endpoint, webhook, middleware, backend,
    frontend, boilerplate, async, mutex, race condition, memory leak, sort(?:ing|ed)? (?:algorithm|array|list),
    type hints?, cron ?job, foreign key, dependency injection, command[ -]line, api key, oauth, web ?socket
code_generation 1.5: cod(?:e|es|ing)\b, function, method\b, variable, loops?\b, array, algorithm, compil, syntax,
    snippet, librar, apis?\b, database, script, programm, fix(?:es|ed|ing)?\b, crash, server, query, queries, parse,
    strings?\b, integers?, json, yaml, component, repositor, deploy, framework, package, module, terminal, funktion,
    fonction, función, funzione
creative_writing 2.5: poem, poetry, haiku, limerick, sonnet, lyric, fairy ?tale, screenplay, short stor,
    bedtime stor, rhym, fiction, protagonist, plot twist, slogan, tagline, once upon a time, in the style of, creative,
    gedicht, poème, poesía, poesia, villain, catchy, letter of, cover letter, blog post
creative_writing 1.5: stor(?:y|ies)\b, song, joke, funny, character, blog, essay, novel\b, imagine, persuasive
analysis 4.5: pros and cons, advantages and disadvantages, strengths and weaknesses, swot, root cause,
    cost-benefit, trade-?offs?, vor- und nachteile, avantages et, ventajas y, pro e contro, vantagens e
analysis 2.5: analy[sz], analyt, sentiment, correlat, outlier, standard deviation, statistic, data ?set, anomal
analysis 2: compar[eia], trend, patterns? in, insight, interpret, regression, hypothes, forecast, implications
analysis 1.5: csv\b, spreadsheet, quarter, revenue, sales, churn, kpi, conversion rate, differences? between,
    differ\b, (?:this|the|these|our|following) (?:data|figures|numbers|results|table|chart|graph|survey|metrics),
    versus, vs\b
chat 4.5: how are you, how(?:'s| is) (?:it going|your|life), what'?s up\b, nice to meet, pleased to meet,
    are you (?:there|ok|real|human|an? (?:ai|bot)), who are you, your name, your favou?rite, do you like, wie geht,
    ça va, qué tal, cómo estás, come stai, tudo bem, как дела
chat 3: keep me company, talk to me, let'?s (?:chat|talk), my day, i feel,
    i'?m (?:(?:so|really|feeling|a bit|very) ){0,2}(?:bored|sad|tired|lonely|happy|excited|stressed|nervous|down)
question_answer 1: explain, meaning of, what does, mean\b, how (?:many|much|long|far|old|tall|often)
general 3.5: gramma[rt], spelling, punctuation
general 2: itinerary, recipe, more (?:formal|professional|polite), proofread
"""

# At the beginning of any line, material included.
_LINES = r"""
code_generation 3: (?:async )?def \w{1,60}\(, class \w{1,60}[:({], import [\w{*], from [\w.]{1,60} import ,
    #include, public (?:static|class) , (?:export )?(?:async )?function\b.{0,60}\(, (?:const|let|var) \w{1,60} ?=, #!/,
    <\?php, (?:fn|func) \w{1,60}[(<], (?:if|for|while) ?\(.{1,80}\{, select\b.{1,80}\bfrom\b, <!doctype, <html
code_generation 3: traceback \(most recent, at [\w.$<>]{1,80}\(
"""

# Anywhere at all.
_SHAPES = r"""
code_generation 4: ```(?!(?:text|txt|csv|tsv|markdown|md)\b)
code_generation 1.5: [;{}][ \t]{0,8}\n, => ?[{(], \(\), </\w{1,20}>, `[^`\n]{2,60}`, self\.\w, [=!]==
code_generation 2: \.(?:py|js|jsx|ts|tsx|java|cpp|hpp|rs|go|rb|php|sh|css|html|sql|ya?ml|toml|ipynb)\b
question_answer 1: [?\uff1f][\s"')\]]{0,3}(?:$|\s)
"""

_LANGUAGE = r"""
    english, german, french, spanish, italian, portuguese, dutch, russian, chinese, mandarin, cantonese, japanese,
    korean, arabic, hindi, bengali, urdu, turkish, persian, polish, swedish, danish, norwegian, finnish, icelandic,
    greek, hebrew, latin\b, czech, slovak, hungarian, romanian, bulgarian, croatian, serbian, ukrainian, vietnamese,
    thai\b, indonesian, swahili, deutsch, englisch, französisch, spanisch, italienisch, portugiesisch, russisch,
    anglais, français, allemand, espagnol, italien, portugais, inglés, alemán, francés, español, italiano, inglese,
    francese, tedesco, spagnolo, portoghese, inglês, francês, alemão, espanhol, português, английск, русск, немецк
"""

_POLITE = r"""
    please, pls, plz, kindly, hi, hello, hey, hallo, hola, bonjour, ciao, dear, can, could, would, will, you, i, we,
    need, want, like, i'd, i'll, to, help, me, us, now, then, and, also, so, ok, okay, just, quickly, briefly, first,
    next, try, must, should, have, let's, bitte, kannst, könntest, können, du, sie, mir, mal, peux-tu, pouvez-vous,
    s'il (?:te|vous) plaît, puedes, podrías, por favor, puoi, per favore, você, pode, пожалуйста
"""

_MAKING = r"""
    writ, compos, creat, structur, mak, generat, draft, build, develop, design, produc, invent, craft, giv, tell, show,
    provid, prepar, sing, come up with, do\b, need, want, schreib, erstell, erzähl, dichte, mach, écri, rédige, crée,
    génère, raconte, escrib, crea, genera, cuént, scriv, raccont, escrev, cri[ae], cont[ae], напиш, созда, расскаж
"""

# Where the evidence is even, the type that comes first here wins: the narrower one.
_PRECEDENCE = (
    TaskType.TRANSLATION,
    TaskType.SUMMARIZATION,
    TaskType.CODE_GENERATION,
    TaskType.CREATIVE_WRITING,
    TaskType.ANALYSIS,
    TaskType.QUESTION_ANSWER,
    TaskType.CHAT,
    TaskType.GENERAL,
)

# What has no words: three rows of a table, an image, a remark in a conversation that is under way.
_TABLE = (TaskType.ANALYSIS, 3.0)
_IMAGE = (TaskType.ANALYSIS, 1.0)
_REMARK = (TaskType.CHAT, 1.5)
_REMARK_LENGTH = 160
_CONVERSATION_TURNS = 3

# What a lone hint has to stand up against, see `Classification.confidence`.
_DOUBT = 2.0

# How many characters of a text are looked at, from its beginning and from its end; and how many of
# the prose therein are taken for what is asked rather than for the material that it is asked about.
_SEEN = (2_000, 1_000)
_ASKED = (400, 300)

Clue = tuple[TaskType, float]


@dataclass(frozen=True, slots=True)
class Classification:
    """A guess at a task's type.

    `confidence` is the share of the evidence that speaks for the type, with a fixed doubt counted
    against it: winner / (all evidence + 2). It is 0 where nothing spoke at all and `general` is the
    answer for want of a better, 0.33 for a mere question mark, and approaches 1 as agreeing
    evidence piles up. It orders guesses; it is not a probability of being right.
    """

    task_type: TaskType
    confidence: float


def classify(text: str, *, turns: int = 1, has_images: bool = False) -> Classification:
    """Guess what a text asks for.

    `turns` is the number of messages in the conversation so far, without the system's, of which
    `text` is the last. A text of megabytes takes no longer than one of three thousand characters.
    """
    scores = dict.fromkeys(_PRECEDENCE, 0.0)
    for task_type, strength in _clues(text, turns, has_images):
        scores[task_type] += strength
    total = sum(scores.values())
    if not total:
        return Classification(TaskType.GENERAL, 0.0)
    winner = max(scores, key=scores.__getitem__)
    return Classification(winner, scores[winner] / (total + _DOUBT))


def _clues(text: str, turns: int, has_images: bool) -> Iterator[Clue]:
    seen = _ends(text, *_SEEN).lower()
    # What stands in a code fence is material. Where the middle of a long text is left out, a fence
    # that was open before goes on behind, so that counting still tells inside from outside.
    prose = " ".join(seen.split("```")[::2]).strip()
    asked = _ends(prose, *_ASKED)
    yield from _clues_of_orders(asked)
    yield from _clues_of_words(asked)
    yield from (clue for clue, pattern in _MARKS if pattern.search(seen))
    if _has_table(seen):
        yield _TABLE
    if has_images:
        yield _IMAGE
    if turns >= _CONVERSATION_TURNS and len(text) <= _REMARK_LENGTH:
        yield _REMARK


def _ends(text: str, head: int, tail: int) -> str:
    return text if len(text) <= head + tail else f"{text[:head]}\n{text[-tail:]}"


def _clues_of_orders(asked: str) -> Iterator[Clue]:
    orders, objects = set(), set()
    for opening in _OPENING.finditer(asked):
        # "Could you" is politeness before an order, and the order itself in "Could dogs fly?".
        for start in {opening.start(1), opening.end()}:
            if order := _ORDER.match(asked, start):
                orders.add(order.lastindex)
            if made := _OBJECT.match(asked, start):
                objects.add(made.lastindex)
    yield from (_ORDER_CLUES[index] for index in orders if index)
    yield from (_OBJECT_CLUES[index] for index in objects if index)


def _clues_of_words(asked: str) -> Iterator[Clue]:
    found = {hit.lastindex for hit in _WORD.finditer(asked)}
    yield from (_WORD_CLUES[index] for index in found if index)


def _has_table(text: str) -> bool:
    """Whether three lines in a row are divided into equally many fields."""
    for separator in ",;|\t":
        if text.count(separator) < 6:
            continue
        counts = [line.count(separator) for line in text.splitlines()[:60]]
        rows = zip(counts, counts[1:], counts[2:], strict=False)
        if any(first == second == third >= 2 for first, second, third in rows):
            return True
    return False


def _either(words: str) -> str:
    return "(?:" + "|".join(re.split(r",\s+", words.strip())) + ")"


def _read(table: str) -> list[tuple[Clue, str]]:
    lines = table.strip().replace("\n    ", " ").replace("<language>", _either(_LANGUAGE)).splitlines()
    return [_read_line(line) for line in lines]


def _read_line(line: str) -> tuple[Clue, str]:
    head, _, words = line.partition(": ")
    name, strength = head.split()
    return (TaskType(name), float(strength)), _either(words)


def _together(table: list[tuple[Clue, str]]) -> tuple[str, dict[int, Clue]]:
    """One pattern with a group for each line, and the clue of each group."""
    pattern = "(?:" + "|".join(f"({words})" for _, words in table) + ")"
    return pattern, {index: clue for index, (clue, _) in enumerate(table, start=1)}


_order_pattern, _ORDER_CLUES = _together(_read(_ORDERS))
_object_pattern, _OBJECT_CLUES = _together(_read(_OBJECTS))
_word_pattern, _WORD_CLUES = _together(_read(_WORDS))

# Nothing in these can be made to backtrack for long: every repetition is bounded.
_OPENING = re.compile(rf"(?:\A|[.!?:;,\n])[\s\"'*>#¿(-]{{0,6}}((?:{_either(_POLITE)}[\s,]{{1,3}}){{0,8}})")
_ORDER = re.compile(_order_pattern)
_OBJECT = re.compile(
    rf"(?:{_either(_MAKING)}\w{{0,5}}|an?|some|short|one)\s{{1,3}}"
    rf"(?:[^\s.!?:;]{{1,30}}(?:\.\w{{1,5}})?\s{{1,3}}){{0,7}}?[\"'(]?{_object_pattern}"
)
_WORD = re.compile(rf"\b(?=\w){_word_pattern}")
_MARKS = [
    *((clue, re.compile(rf"^[ \t]{{0,40}}{words}", re.MULTILINE)) for clue, words in _read(_LINES)),
    *((clue, re.compile(words, re.MULTILINE)) for clue, words in _read(_SHAPES)),
]
