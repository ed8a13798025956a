# SPDX-License-Identifier: PostgreSQL
"""Checks the language of documents, messages and comments.

Usage: prose.py [FILE...]    (default: every committed file of a known kind)

Reports, as file:line: rule: text, each banned phrase, each sentence of more than
30 words, each heading that begins with a question word, and each sentence that
begins with a clause instead of its actor. CONTRIBUTING.md has the rules. The
exit status is 1 if there is a finding.
"""
import io
import re
import subprocess
import sys
import tokenize

LONGEST = 30

# Phrase, and what to write instead.
BANNED = [
    (r"mend(s|ed|ing)?", "fix"),
    (r"(nobody|somebody|anybody|whoever|who ever)", "name the role or the user"),
    (r"(whatever|whichever)", "name the thing"),
    (r"what (comes|came|comes in|there is|is there|stands|was (sent|told|read|known|asked))", "name the thing"),
    (r"those of", "name the thing again"),
    (r"that of (the|a|an|those|this|these)", "name the thing again"),
    (r"(ask(s|ed|ing)?) for", "request or fetch"),
    (r"(answer|answers|answered|answering)", "response or result"),
    (r"(send|sends|sent|sending) along", "push down"),
    (r"(tell|tells|told)(?! you)", "report or show"),
    (r"anew", "again"),
    (r"beside", "next to, or in addition to"),
    (r"of late", "recently"),
    (r"so many", "the number"),
    (r"let(s|ting)? go of", "release"),
    (r"(hand|hands|handed|handing) on", "return or pass"),
    (r"(forget|forgets|forgot|forgotten|forgetting)", "clear or evict"),
    (r"at once", "in parallel, or immediately"),
    (r"one's own|his own", "your"),
    (r"(?<!there )(?<!if there )(is|are) no (?!longer|more|less|later|earlier|such|greater|smaller|larger)", "is not a"),
    (r"belongs? into", "belongs in"),
    (r"takes? it that", "assumes that"),
    (r"goes by|go by", "uses or follows"),
    (r"in vain", "without effect"),
    (r"(stand-in|standin)", "simulator"),
    (r"meanwhile", "in the meantime"),
    (r"hear of", "receive"),
    (r"for ever", "without limit"),
    (r"(thereof|therein|whereof|whereupon|thereupon)", "name the thing"),
    (r"the house", "the project"),
]
HEADLESS = re.compile(r"(What|Whatever|Whether|Who|Whoever|Whom|Whose|Where|How|That of|Those of|So many)\b(?!.*\?$)")
BANNED = [(re.compile(rf"(?<![\w-]){phrase}(?![\w-])", re.I), instead) for phrase, instead in BANNED]


def paragraphs_of_markdown(text):
    """Yields (line, kind, text), without code blocks, comments, quotations and link targets."""
    text = re.sub(r'"[^"\n]{1,40}"', "QUOTE", text)
    text = re.sub(r"<!--.*?-->", lambda comment: "\n" * comment.group().count("\n"), text, flags=re.S)
    in_code, start, lines = False, 0, []
    for number, line in enumerate(text.split("\n") + [""], 1):
        bare = line.strip().lstrip(">").strip()
        is_fence = bare.startswith("```")
        is_item = re.match(r"([-*+]|\d+\.)\s", bare)
        is_block = is_fence or not bare or is_item or bare[0] in "#|" or bare.startswith("<")
        if lines and (in_code or is_block):
            yield start, "text", " ".join(lines)
            lines = []
        if is_fence:
            in_code = not in_code
        elif in_code or not bare or bare.startswith("<"):
            pass
        elif bare.startswith("#"):
            yield number, "heading", bare.lstrip("# ")
        elif bare.startswith("|"):
            for cell in bare.strip("|").split("|"):
                yield number, "text", cell.strip()
        else:
            start = start if lines else number
            lines.append(bare[is_item.end():] if is_item else bare)


def join_lines(comments):
    """Joins comment lines into paragraphs: comments is a list of (line, text)."""
    start, lines, last = 0, [], -1
    for number, text in comments + [(-9, "")]:
        text = text.strip()
        if lines and (not text or number != last + 1 or text.startswith("- ")):
            yield start, "text", " ".join(lines)
            lines = []
        last = number
        if text and re.search(r"[a-z]{2}", text) and "SPDX" not in text:
            start = start if lines else number
            lines.append(text.removeprefix("- "))


def c_parts(text):
    """Comments of C, and its messages: adjacent string literals are one."""
    token = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"(?:\s*"(?:\\.|[^"\\\n])*")*|\'(?:\\.|[^\'\\])*\'', re.S)
    for match in token.finditer(text):
        line, found = text.count("\n", 0, match.start()) + 1, match.group()
        if found.startswith('"'):
            message = "".join(re.findall(r'"((?:\\.|[^"\\\n])*)"', found)).replace("\\n", " ").replace('\\"', '"')
            if " " in message:
                yield line, "text", message
        elif found.startswith("/"):
            body = found.strip("/").strip("*").split("\n")
            yield from join_lines([(line + i, part.strip().lstrip("*-").rstrip("-*")) for i, part in enumerate(body)])


def hash_parts(text):
    """Comments that begin with #, on lines of their own or after code."""
    found = [(number, match.group(2)) for number, line in enumerate(text.split("\n"), 1)
             if (match := re.match(r"(\s*|.*?\S\s{1,2})#(?!!)\s(.*)", line)) and (not match.group(1).strip() or "'" not in match.group(2))]
    return join_lines(found)


def python_parts(text):
    found = []
    for item in tokenize.generate_tokens(io.StringIO(text).readline):
        if item.type == tokenize.COMMENT:
            found.append((item.start[0], item.string.lstrip("# ")))
        elif item.type == tokenize.STRING and item.string.startswith('"""'):
            found.append((-9, ""))
            found += [(item.start[0] + i, part) for i, part in enumerate(item.string.strip('"').split("\n"))]
    return join_lines(found)


def sql_parts(text):
    return join_lines([(number, line.split("--", 1)[1]) for number, line in enumerate(text.split("\n"), 1)
                       if line.lstrip().startswith("--")])


KINDS = [
    (r"\.(md|txt)$", paragraphs_of_markdown),
    (r"\.(c|h)$", c_parts),
    (r"\.py$", python_parts),
    (r"\.sql$", sql_parts),
    (r"\.(pl|pm|sh)$|^(scripts|bench|test|\.ci|\.github)/(.*/)?[^./]+$|\.ya?ml$|Makefile$", hash_parts),
]


def sentences(text):
    text = re.sub(r"`[^`]*`", "CODE", text)
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", text)
    text = re.sub(r"\b(e\.g|i\.e|etc|vs|al)\.", r"\1", text)
    return [part.strip(" *_") for part in re.split(r"(?<=[.!?])[\")]*\s+(?=[\"(A-Z*_])", text)]


def findings(line, kind, text):
    if kind == "heading" and re.match(r"(What|Where|How|Who|Whether)\b", text):
        yield f'{line}: heading begins with a question word: "{text}"'
    for sentence in sentences(text):
        words = [word for word in sentence.split() if re.search(r"\w", word)]
        if len(words) > LONGEST:
            yield f'{line}: sentence of {len(words)} words: "{sentence[:60]}..."'
        if kind == "text" and len(words) > 2 and HEADLESS.match(sentence):
            yield f'{line}: begins with a clause, not with its actor: "{sentence[:60]}"'
        for pattern, instead in BANNED:
            for match in pattern.finditer(sentence):
                around = sentence[max(0, match.start() - 25):match.end() + 25]
                yield f'{line}: "{match.group()}" (write: {instead}): ...{around}...'


def main(files):
    if not files:
        files = subprocess.run(["git", "ls-files"], check=True, capture_output=True, text=True).stdout.split("\n")
        files = [file for file in files if "/corpus/" not in file and file not in
                 ("scripts/prose.py", "test/prose/banned.md")]
    count = 0
    for file in files:
        reader = next((reader for pattern, reader in KINDS if re.search(pattern, file)), None)
        if reader is None:
            continue
        with open(file, encoding="utf-8") as source:
            for part in reader(source.read()):
                for finding in findings(*part):
                    print(f"{file}:{finding}")
                    count += 1
    return count


if __name__ == "__main__":
    sys.exit(1 if main(sys.argv[1:]) else 0)
