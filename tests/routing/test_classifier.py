from __future__ import annotations

import random
import time
from collections import Counter

import pytest

from routing import classifier
from routing.classifier import Classification, classify
from routing.task_types import TaskType

PROMPTS = {
    TaskType.QUESTION_ANSWER: [
        "Explain quantum computing",
        "What is the capital of Mongolia?",
        "Who won the 1998 World Cup?",
        "why is the sky blue",
        "How many moons does Jupiter have?",
        "When did the Berlin Wall fall, and who opened it?",
        "Can dogs eat chocolate?",
        "Hello! What's the boiling point of ethanol?",
        "Could you please explain how vaccines work?",
        "Tell me about the French Revolution",
        "What do pandas eat?",
        "Where is the Danish parliament located?",
        "Define entropy",
        "Is it safe to drink tap water in Lisbon?",
        "Warum ist der Himmel blau?",
        "Quelle est la capitale de l'Australie ?",
        "¿Cuándo terminó la Segunda Guerra Mundial?",
        "Qual è il fiume più lungo d'Europa?",
        "Which planets have rings?",
        "Calculate 15% of 240",
    ],
    TaskType.SUMMARIZATION: [
        "Summarize the following article:\n\nThe council met on Tuesday to discuss the new bypass.",
        "tl;dr please: we had a long call about the migration and nobody could agree on a date",
        "Can you give me a short summary of War and Peace?",
        "Please condense this into three bullet points: the server moved, the domain changed, the mail broke",
        "What are the key takeaways from this meeting transcript?",
        "Sum up this email thread in one sentence",
        "Write an abstract for the text below.",
        "Could you summarise this Python release note? It fixes bugs in asyncio and json.",
        "Fasse den folgenden Text zusammen: Die Bahn hat gestern neue Fahrpläne vorgestellt.",
        "Résume cet article en trois phrases.",
        "Resume este texto en un párrafo.",
        "Give me the main points of the attached report",
        "Shorten this text to 50 words",
        "The parties agree to the following terms. " * 200 + "\n\nSummarize this contract.",
    ],
    TaskType.CODE_GENERATION: [
        "Write a Python function that reverses a linked list",
        "fixes needed: the login endpoint returns 500",
        "Is this a bug?\n\nfor i in range(10): print(i",
        "How do I center a div in CSS?",
        "Why does my React component re-render twice?",
        "implement quicksort in Rust",
        "Write a function that translates English text to Pig Latin",
        "Create a SQL query that finds duplicate customers",
        "Refactor this:\n```python\ndef add(a, b):\n    return a+b\n```",
        "TypeError: Cannot read properties of undefined (reading 'map')",
        "Write unit tests for the following class",
        "I need a bash script to rename all files in a folder",
        "Can you fix the bug in my code?",
        "what does this regex do: ^\\d{3}-\\d{4}$",
        "Schreibe eine Funktion, die Primzahlen berechnet",
        "Écris une fonction JavaScript qui trie un tableau",
        "def fib(n):\n    return n if n < 2 else fib(n-1) + fib(n-2)\n\nmake this faster",
        "Analyze this code for bugs:\n```js\nlet x = 1\n```",
        "Build a REST API with FastAPI and Postgres",
        "Python decorator to cache results",
        "Write a Dockerfile for a Django app",
        "Write a function that summarizes a list of numbers",
    ],
    TaskType.CREATIVE_WRITING: [
        "Write a poem about autumn",
        "Write a short story about a programmer who finds a bug in reality",
        "haiku about recursion",
        "Compose song lyrics for a sea shanty about databases",
        "Tell me a joke",
        "Come up with a catchy slogan for a bakery",
        "Write a poem in French about the sea",
        "Schreibe ein Gedicht über den Herbst",
        "Écris une histoire courte sur un dragon",
        "Escribe un cuento sobre un gato astronauta",
        "Can you write a limerick about my cat, please?",
        "Once upon a time there was a lighthouse keeper. Continue the story.",
        "Write a wedding speech for my best friend",
        "Draft a blog post about slow travel",
        "Imagine you are a pirate and describe your ship",
        "Create a fairy tale for children about sharing",
        "Write a product description for a handmade candle",
        "Write a script for a short film about time travel",
    ],
    TaskType.TRANSLATION: [
        "Translate this into French: Where is the station?",
        "Translate 'good morning' to Japanese",
        "How do you say thank you in Korean?",
        "Please translate the following sentence to German: I fixed the bug in the code.",
        "Übersetze ins Englische: Das Wetter ist schön.",
        "Übersetze bitte: I would like a coffee",
        "Traduis cette phrase en anglais : il pleut",
        "Traduce al inglés: me duele la cabeza",
        "Traduci in inglese: dove sei?",
        "What is 'butterfly' in German?",
        "English to Spanish: where is the library",
        "Auf Deutsch: the cat sat on the mat",
        "Can you translate this poem into Italian?",
        "I have the following text: 'Guten Tag'. Translate it to English.",
        "Переведи на английский: доброе утро",
        "Hi, could you translate my email into Polish?",
    ],
    TaskType.ANALYSIS: [
        "Analyze the sentiment of these reviews",
        "Compare the iPhone 15 and the Pixel 8",
        "What trends do you see in this data?\nmonth,sales,cost\nJan,10,3\nFeb,12,4\nMar,9,6",
        "Pros and cons of remote work",
        "What are the advantages and disadvantages of nuclear power?",
        "Evaluate the argument in this essay",
        "Do a SWOT analysis of Nokia in 2007",
        "Compare Python and JavaScript for backend work",
        "Classify each of these tickets as complaint, question or praise",
        "Find outliers in the following measurements: 3, 4, 3, 5, 41",
        "Interpret these survey results for me",
        "What is the root cause of our declining conversion rate?",
        "Analysiere die Verkaufszahlen des letzten Quartals",
        "Vergleiche die beiden Angebote",
        "Assess the risks of this investment",
        "name | age | city\nAda | 36 | London\nAlan | 41 | Wilmslow\nGrace | 85 | Arlington",
    ],
    TaskType.CHAT: [
        "Hi",
        "hey, what's up?",
        "Hello, how are you today?",
        "Good morning!",
        "thanks, that helped a lot",
        "I'm feeling a bit sad today",
        "lol nice",
        "Hallo, wie geht's?",
        "Salut, ça va ?",
        "Hola, ¿qué tal?",
        "I'm bored, let's talk",
        "What's your favourite color?",
        "ok cool",
        "good night",
        "Nice to meet you! My name is Sam.",
    ],
    TaskType.GENERAL: [
        "Rewrite this paragraph to sound more formal",
        "Plan a three day trip to Rome",
        "Fix the grammar: he go to school yesterday",
        "Recommend a good restaurant in Porto",
        "lorem ipsum dolor sit amet",
        "banana",
        "",
        "12345",
        "Proofread this: Their going to the store.",
        "Convert 5 miles to kilometres",
        "Suggest a birthday present for a ten year old",
        "Rephrase: the meeting was not productive",
    ],
}


def guess(text: str) -> TaskType:
    return classify(text).task_type


def test_it_knows_realistic_prompts() -> None:
    missed = {
        prompt[:80]: (wanted.value, guess(prompt).value)
        for wanted, prompts in PROMPTS.items()
        for prompt in prompts
        if guess(prompt) is not wanted
    }
    assert len(missed) <= 0.1 * sum(map(len, PROMPTS.values())), missed


@pytest.mark.parametrize("wanted", TaskType)
def test_it_knows_each_type(wanted: TaskType) -> None:
    prompts = PROMPTS[wanted]
    missed = {prompt[:80]: guess(prompt).value for prompt in prompts if guess(prompt) is not wanted}
    assert len(missed) <= 0.2 * len(prompts), missed


@pytest.mark.parametrize("text", ["fixes", "Fixed?", "bug?", "bugs!", "BUG", "debugging", "refactored", "Functions:"])
def test_words_are_known_in_every_form(text: str) -> None:
    assert guess(text) is TaskType.CODE_GENERATION


def test_short_prompts_are_told_apart() -> None:
    short = [(wanted, prompt) for wanted, prompts in PROMPTS.items() for prompt in prompts if len(prompt) < 60]
    found = Counter(guess(prompt) for _, prompt in short)

    assert set(found) == set(TaskType)
    assert found.most_common(1)[0][1] < 0.3 * len(short)


def test_case_does_not_matter() -> None:
    for prompts in PROMPTS.values():
        for prompt in prompts:
            assert classify(prompt.upper()) == classify(prompt)


def test_confidence_is_a_share_that_is_zero_only_where_nothing_speaks() -> None:
    for prompts in PROMPTS.values():
        for prompt in prompts:
            assert 0 <= classify(prompt).confidence < 1
    assert classify("banana") == Classification(TaskType.GENERAL, 0.0)
    assert classify("Ünïcödé 日本語 ￿ \ud83d \x00") == Classification(TaskType.GENERAL, 0.0)
    assert classify("bananas?") == Classification(TaskType.QUESTION_ANSWER, 1 / 3)


def test_confidence_grows_with_agreeing_evidence_and_falls_with_contrary_evidence() -> None:
    hint = classify("a bug")
    more = classify("a bug in my Python function")
    contrary = classify("a bug in my Python function, and a poem")

    assert hint.task_type is more.task_type is contrary.task_type is TaskType.CODE_GENERATION
    assert hint.confidence < more.confidence > contrary.confidence


def test_an_instruction_at_the_end_of_a_long_document_counts() -> None:
    document = "The council met on Tuesday to discuss the new bypass. " * 5_000

    assert guess(document) is TaskType.GENERAL
    assert guess(f"{document}\n\nTranslate this into French.") is TaskType.TRANSLATION
    assert guess(f"Summarize:\n\n{document}") is TaskType.SUMMARIZATION


def test_the_middle_of_a_long_text_is_not_looked_at() -> None:
    head, tail = "Compare the two offers. " + "x " * 1_000, " y" * 1_000
    middles = ["", "Write a Python function. " * 500, "```\n" * 500, "a,b,c\n" * 5_000]

    assert len({classify(head + middle + tail) for middle in middles}) == 1


def in_a_fence(line: str, times: int) -> str:
    return "Have a look.\n```python\n" + f"{line}\n" * times + "```\nIt prints nothing."


@pytest.mark.parametrize("times", [1, 400])
def test_words_inside_a_code_fence_are_not_taken_for_instructions(times: int) -> None:
    # 400 lines: the fence is cut through, as the middle of a long text is left out.
    telling, silent = "translate this poem into French. Summarize it", "aaaaaaaaa aaaa aaaa aaaa aaaaaa. aaaaaaaaa aa"

    assert len(telling) == len(silent)
    assert classify(in_a_fence(telling, times)) == classify(in_a_fence(silent, times))
    assert guess(in_a_fence(telling, times)) is TaskType.CODE_GENERATION


@pytest.mark.parametrize("text", ["and the other one", "make it so", "that is not what I meant"])
def test_a_remark_in_a_conversation_is_chat(text: str) -> None:
    assert guess(text) is TaskType.GENERAL
    assert classify(text, turns=3).task_type is TaskType.CHAT


def test_an_instruction_in_a_conversation_stays_what_it_is() -> None:
    assert classify("Translate that to German", turns=9).task_type is TaskType.TRANSLATION
    assert classify("Write a Python script for it", turns=9).task_type is TaskType.CODE_GENERATION


def test_an_image_without_words_is_to_be_interpreted() -> None:
    assert classify("", has_images=True).task_type is TaskType.ANALYSIS
    assert classify("Write a poem about this", has_images=True).task_type is TaskType.CREATIVE_WRITING


def test_every_line_of_the_tables_can_be_told_from_the_others() -> None:
    # A group inside a line's pattern would shift the numbers by which lines are found.
    assert classifier._ORDER.groups == len(classifier._ORDER_CLUES)
    assert classifier._OBJECT.groups == len(classifier._OBJECT_CLUES)
    assert classifier._WORD.groups == len(classifier._WORD_CLUES)
    assert all(pattern.groups == 0 for _, pattern in classifier._MARKS)


LENGTH = 100_000
HOSTILE = [
    " ", "\n", "\t", "a", "a ", "`", "?", ".", ";", "; ", ",\n", ".\n", "\n" + " " * 39, ";" + " " * 9, '?"', '"',
    "write a ", "say \"", ". what is x in ", ".write a a a a a a a ,", "please ", ".i ", "i'm so really ", "german to ",
    "\nif (" + "x" * 79, "\nselect " + "a" * 70, "\nfunction" + " " * 50, "\nat " + "a" * 79, "\nfrom " + "a" * 59,
    "aerro ", "\u0130", "a,b\n", "|\n",
]  # fmt: skip


def quickest(text: str) -> float:
    """Seconds of the quickest of five runs: the others may have waited for a processor."""

    def once() -> float:
        start = time.perf_counter()
        classify(text)
        return time.perf_counter() - start

    return min(once() for _ in range(5))


def test_no_input_takes_much_longer_than_a_benign_one() -> None:
    benign = quickest(("The council met on Tuesday, and nobody agreed on the bypass. " * 2_000)[:LENGTH])
    slow = {piece: quickest((piece * LENGTH)[:LENGTH]) / benign for piece in HOSTILE}

    # Measured: at most four times as long. Backtracking would make it thousands.
    assert max(slow.values()) < 40, slow


def test_megabytes_take_no_longer_than_kilobytes() -> None:
    rng = random.Random(5)
    words = " ".join(rng.choices(["bridge", "council", "weather", "street", "Tuesday"], k=900))

    # Measured: a tenth more. Reading all of it would take a thousand times as long.
    assert quickest(words * 1_000) < 50 * quickest(words)
