"""What a real Prometheus 3.5 says to regular expressions: the expectations of crates/gotext/tests/regexes.rs.

    STREAMFLOW_PROMETHEUS=/path/to/prometheus python3 tools/golden/regexes.py > crates/gotext/tests/golden/regexes.json

Matchers are asked of series whose label holds the subjects, groups by label_replace, and replacements in texts by an
alert's annotation. The Prometheus listens on a free port of 127.0.0.1 and keeps its data in a temporary folder; promtool
is taken from beside it.
"""

import json
import os
import pathlib
import random
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

SUBJECTS = [
    "", "a", "b", "ab", "aab", "abc", "A", "AB", "k", "K", "\u212a", "s", "S", "\u017f", "é", "É", "日本", "日", "a.b*c",
    "a&b", "&&", "a-b", "-", "]", "[", "a[b", "^", "a^b", "a{b}", "{", "}", "x{,2}", "{,2}", "a b", " ", "\t", "a\nb", "\n",
    "\r", "\x0b", "\x0c", "\x01", "\x07", "1", "12", "007", "_", "a_b", "\u0661", "\u0966", "\\", "\\Q", "Q", "E", "a\\b", "/", "<b>",
    "<", ">", "$", "a$b", "$1", "aaaa", "aaaaa", "bbbb", "abab", "ababab", "é日", "Ω", "ω", "\u2126", "ß", "ẞ", "İ", "ı", "α", "α1",
    "я", "Я", "٣", "🙂", "a🙂b", "\u00a0", "\u2003", "\u0085", "\u2028", "|", "a|b", "(", ")", "()", "a+b", "?", "~", "#", "a#b", "-]",
    "user@example.com", "host-1:9100", "GET /api/v1", "http://x/", "node_cpu_seconds_total", "x", "y", "z", "xyz", "\u00df", "µ", "μ",
]

HAND = r"""
a|ab|a*|a+|a?|ab*|a{2}|a{2,}|a{2,4}|(a|b)+|(?:a|b)*c|[ab]+|[^ab]+|.|.*|.+|..|a.b|a.*b
\w|\w+|\W|\W+|\d|\d+|\D+|\s|\s+|\S+|.*\b.*|\b\w+\b|.*\B.*|\B|\b|\bab\b|\Ba|\w+\b.*|.*\ba.*
[\w]|[\w-.]+|[\w.-]+|[\d_]+|[^\w]+|[^\W]+|[\W]+|[\s\S]+|[\D]|[^\d\s]+|[\w\W]*|[a-\d]|[\w-z]+|[a-c-e]+|[--/]+|[+--]+|[a\-z]+
[a&&b]+|[a&&b]+.*|[&&]+|[&-&]+|[a--b]+|[a~~b]+|[~~]|[[a]|[[]|[[]+|[^[]*|a[^[]*|[[:alpha:]]+|[[:^alpha:]]+|[[:word:]]+|[[:digit:][:space:]]+
[[:alnum:]_]+|[^[:alnum:]]+|[[:ascii:]]*|[[:blank:]]+|[[:cntrl:]]+|[[:graph:]]+|[[:lower:]]+|[[:print:]]+|[[:punct:]]+|[[:space:]]+|[[:upper:]]+|[[:xdigit:]]+
[[:foo:]]|[[:alpha:]|[:alpha:]|[[:alpha]]|[[:Alpha:]]|[[:^word:]a]+|[[.a.]]|[[=a=]]|[[:word:]-z]+
[]]|[]a]+|[^]]+|[^]a]+|[]-a]+|[]|[^]|[a|[|[a-|[z-a]|[a-\]|[\]|[\]]|[\]a]+|[\[\]]+|[a-z&&[aeiou]]|[a-z&&[^aeiou]]+
\Qa.b*c\E|\Qa.b*c|\Qa\E+|\Qab\E+|\Q\E|\Qa\Eb|\Q(\E|\Q\\E|\E|a\E|[\Qa\E]|\Q日\E.*|\Q\Q\E|(\Qa\E|b)+|\Q|a\Q\E*|\Q.\E{2}
x{,2}|{,2}|a{b}|a{b}|日本|{|}|{}|a{|a{1|a{1,|a{1,2|a{1,2}b|a{01}|a{1,02}|{1}|{a}|a{ 1}|a{1 }|a{-1}|a{1}{2}|a{2}?|a{0}|a{0,0}|a{0,1}
a{1000}|a{1001}|a{2,1}|a{,}|a{99999999999}|a{1,99999999999}|(a{100}){11}|(a{10}){100}|((a{10}){10}){10}|((a{10}){10}){11}|(a{0}){1000}|(a{2,}){501}|(a{501,}){2}
a**|a*+|a+*|a?*|a??|a*?|a+?|a???|a*??|a{2}*|a{2}{3}|a*{2}|(a*)*|(a*)+|(?:a*)*|(?:a?)?|(a|b*)*|(|a)+|(|a)*|()|()*|(?:)|(?:)*|(a)()
*|+|?|*a|+a|?a|(*)|(*a)|a|*|a|*b||a|a||a||b|(|a)|(a|)|||^*|$*|^+a|\b+|\b*a|a$*|^{2}a|(^)*a|(?i)*|a(?i)*|a*(?i)*|a(?i)+b|(?i)a*
(|)|(a|a)|a)|((a)|a))|(a))|a)(b|a)|(b|((a)|(()|)(|(?|(?a|(?:|(?:a|(?P|(?P<|(?P<n|(?P<n>|(?P<n>a|(?P<n>a)|(?<n>a)|(?<n>a|(?<n|(?<
(?P<n>a)(?P<n>b)|(?P<n>a)(?<n>b)|(?P<n>a)|(?P<1>a)|(?<1a>a)|(?P<a b>a)|(?P<é>a)|(?P<>a)|(?<>a)|(?P<a-b>a)|(?P<_>a)|(?P=n)|(?P>n)|(?'n'a)|(?P<n>a)(?P=n)|(?Pn)
(?i)a|(?i)ab|(?i)k|(?i)K|(?i)s|(?i)ſ|(?i)é|(?i)ω|(?i)ß|(?i)ẞ|(?i)µ|(?i)İ|(?i)ı|(?i)i|(?i)[k]|(?i)[^k]|(?i)[a-z]+|(?i)[^a-z]+|(?i)[[:lower:]]+|(?i)[[:^lower:]]+|(?i)\w+|(?i)\W+|(?i)[\W]+|(?i)[^\W]+|(?i)[^\w]+|(?i)\d+|(?i)\s
(?i)\p{Lu}+|(?i)\p{^Lu}+|(?i)\P{Lu}|(?i)[\p{Lu}]|(?i)[^\p{Lu}]|(?i)\p{Greek}|(?i)\P{Greek}|(?i)[\P{Greek}]|(?i)\QaB\E|(?i)\x41|(?i)\x{212A}|(?i)\b.*
(?i:a)b|(?i:a)B|a(?i)b|a(?i)b|c|(a(?i)b)c|(a(?i)b)C|(?i)a(?-i)b|(?i-s)a.b|(?s)a.b|(?-s)a.b|(?-s:.)+|(?s:.)+|(?m)^a$|(?m)^b|a\n(?m)^b|(?m)a$\nb|a$\nb|a\n^b
(?m:^a$)|(?-m)a|(?m-i)a|(?U)a+|(?U)a+?|(?U)(a+)(a*)|(?-U)a+|(?i-)a|(?-)a|(?)a|(?i)|(?ii)a|(?i-i)A|(?i--s)a|(?-i-s)a|(?x) y|(?x)a b|(?u)a|(?a)a|(?L)a|(?#a)b|(?=a)|(?!a)b|(?<=a)b|(?<!a)b|(?>a)|(?|a|b)|(?1)|(?R)|(?&a)|(?i|(?i-|(?-i|(?is
\a|\f|\t|\n|\r|\v|\e|\c|\cA|\0|\00|\07|\007|\0007|\1|\11|\12|\18|\8|\9|\101|\141|\377|\400|\777|\1a|[\1]|[\07]+|[\141]|[\0-\7]+|[\b]|[\B]|[\A]|[\z]|[\a-\f]+
\x|\x4|\x41|\x4g|\xg4|\x{|\x{}|\x{4|\x{41}|\x{041}|\x{0041}|\x{110000}|\x{10FFFF}|\x{1F642}|\x{65e5}.*|\x{65E5}\x{672c}|\x{d800}|[\x{d800}-\x{dfff}]|[\x{d7ff}-\x{e000}]|[^\x{d800}]|\x{g}|\x{4 1}|[\x41-\x43]+|\xff|\xe9|\x61b
\u65E5.*|\u{65E5}|\U000065E5|\N|\N{x}|\R|\X|\K|\G|\h|\H|\l|\L|\o{101}|\y|\Z|\z|a\z|\A|\Aa|a\A|\za|\C|\Ca|[\C]|[\Q]|\i|\g|\g1|\k<n>|\m|\j|\q|\T|\uD800
\<|\<.*|\>|<b\>|\_|a\_b|\-|a\-b|\&|\~|\#|\ |a\ b|\@|\!|\"|\'|\,|\/|\:|\;|\=|\`|\%|\é|\日|\🙂|\]|\[|\{|\}|\(\)|\(|\)|\||\^|\$|\.|\*|\+|\?|\\|\\\\|a\\b
\p|\p{|\p{}|\pL|\pL+|\PL|\PL+|\p{L}|\p{L}+|\p{^L}+|\P{L}+|\P{^L}+|\p{Lu}|\p{Ll}+|\p{Han}+|\p{^Han}+|\P{Han}+|\P{^Han}+|[\p{Han}]+|[^\p{Han}]+|[\p{^Han}]+|[\P{^Han}a]+|[\PL\d]+|[^\PL]+
\p{Greek}|\p{Latin}+|\p{Cyrillic}|\p{Arabic}|\p{Devanagari}|\p{Common}+|\p{Inherited}|\pN+|\p{Nd}+|\pP+|\p{Pd}|\pS|\p{Sc}|\pZ|\p{Zs}|\p{Zl}|\pC|\p{Cc}|\p{Cs}|\p{Co}|\p{Cn}|\p{Cf}|\p{M}|\p{Lm}|\p{Lt}|\p{Lo}
\p{LC}|\p{Any}|\p{Any}+|\p{any}|\p{ASCII}+|\p{ascii}|\p{Assigned}+|\p{Letter}+|\p{letter}|\p{Uppercase_Letter}|\p{uppercaseletter}|\p{Uppercase Letter}|\p{Uppercase-Letter}|\p{Lowercase_Letter}|\p{Decimal_Number}|\p{digit}|\p{punct}|\p{Punctuation}|\p{Cased_Letter}|\p{cntrl}
\p{lu}|\p{LU}|\p{l}|\pl|\p{han}|\p{HAN}|\p{Hani}|\p{Grek}|\p{Latn}|\p{Zyyy}|\p{IsGreek}|\p{InGreek}|\p{IsL}|\p{sc=Greek}|\p{Script=Greek}|\p{gc=L}|\p{scx=Greek}|\p{Alphabetic}|\p{Alpha}|\p{White_Space}|\p{Emoji}|\p{Uppercase}|\p{Lowercase}|\p{XID_Start}|\p{age=6.0}|\p{L&}|\p{Foo}|\p{^}|\p{^^L}|\p{ L }|\p{L_}|\p{-L}|\pé|\p^L|\P^|\p{^Any}|\P{Any}
\p{Old_Italic}|\p{OldItalic}|\p{Old Italic}|\p{Nko}|\p{Yi}|\p{Vai}|\p{Vaii}|\p{Thai}|\p{Lisu}|\p{Cham}|\p{Ahom}|\p{Kawi}|\p{Modi}|\p{Newa}|\p{Toto}|\p{Lao}|\p{Laoo}|\p{Unknown}|\p{Katakana_Or_Hiragana}|\p{Qaai}|\p{SignWriting}|\p{Phags_Pa}|\p{PhagsPa}|\p{Meroitic_Cursive}|\p{Todhri}|\p{Garay}
^a$|^a|a$|^^a$$|^|$|^$|a^b|a$b|^a|b$|(^a|b$)|(^|b)a|a($|b)|\^a|[$]|[.]|[a.]+|[\.]|[*]|a[*]b|[(]|[|]|[a|b]+|[^^]|[\^]|[a^]+|[$1]+
日本|日.|[日本]+|[日-本]+|é|[é]|[éa]+|[^é]|é+|é*|(é|日)+|🙂|[🙂]|.🙂.|é{1}|[à-ÿ]+|[^a]|[^a]{2}|.{2}|.{1,2}
(a)(b)|((a)b)|(a)|(b)|(?:a)(b)|(a(?:b))c?|(a|(b))+|(?:(a)|(b))*|(.+):(.+)|([^:]+)(?::\d+)?|([a-z_]+)_(total|bucket)|(.*)@(.*)|.*@.*[.]com|[^@]+@[^@]+|(GET|POST) .*|https?://.*|host-\d+:\d+|host-[0-9]+(:[0-9]+)?|node_(cpu|memory)_.*
a&b|a~b|a#b|a b|a-b|a/b|a"b|a'b|a%b|a,b|a;b|a=b|a@b|a!b|<b>|&&|--|~~|##
[a-z]|[A-Z]+|[0-9]{3}|[a-zA-Z_][a-zA-Z0-9_]*|[^/]+|[^-]+|[-a]+|[a-]+|[^-a]+|[a\]]+|[\\]|[\\\]]+|[\/]|[\-]|[\w\-]+|[\.\-]+|[\n]|[\t ]|[\x00-\x1f]|[\x{0}-\x{10ffff}]|[^\x{0}-\x{10ffff}]|[\s]|[^\S]|[\d-\w]
"""

ATOMS = ["a", "b", "A", "k", "é", "日", ".", "\\w", "\\W", "\\d", "\\s", "\\b", "\\B", "[ab]", "[^a]", "[\\w-]", "[a&&b]", "[[]", "\\Qa.\\E", "(a)", "(a|b)",
         "(?:ab)", "(?i)", "(?i:k)", "(?-i)", "(?s)", "(?U)", "^", "$", "\\.", "\\x61", "\\p{L}", "\\P{Lu}", "[[:alpha:]]", "(?P<n>a)", "{", "}", "&&", "-", "\\pN", "(", ")", "|", "\\1", "[", "]", "(?m)", " "]
REPEATS = ["", "", "", "", "*", "+", "?", "*?", "{2}", "{1,2}", "{,2}", "{2,}", "**", "+?", "{0}", "??"]

TEMPLATES = ["$1", "$2", "${1}", "$1é", "$1_x", "${1}_x", "$$1", "$", "a$", "${x y}", "${x", "$x", "$0", "$00", "$01", "${}", "$-", "$1-$2", "$n", "${n}", "$n1", "$日", "$é1",
             "${1 }", "$10", "$99999999999", "$_", "$$$1", "${1}${2}", "$\u0661", "$½", "x", "", "$1$", "${n}x$n"]

EXPANDED = ["(.)(.*)", "(?P<n>.)(.*)", ".*", "(a)|(b)", "(\\w+)", "(?<n1>a)(?P<n>b)?.*", "(?P<1a>a).*", "(?:(a)|(b))*", "(a|b)*", "(|a)+", "()", "(?U)(a+)(a*)", "(a+?)(a*)", "(.{0})(.*)", "((a)|b)+", "(a){0}(.*)",
            "(?P<x>a)|(?P<y>b)", "(?i)(K)", "^(.+)$", "a)|(b", "a))", "((((((((((a))))))))))", "(?P<_>.)(?P<é>.)", "([^:]+)(?::\\d+)?", "(?:a*)(.?)", "(a*)*", "(a*)+", "(a|b*)*", "((?:ab)+)(c?)"]

REPLACED = [("a", "x", "banana"), ("a*", "-", "baac"), ("", "-", "aé日"), ("(a)(b)?", "<$1$2>", "ab a b"), ("\\b", "|", "ab cd é"), ("\\B", "|", "abc é日"), ("\\w+", "W", "日本 ab"), ("$", "!", "a\nb"), ("(?m)$", "!", "a\nb"),
            ("^", ">", "a\nb"), ("(?m)^", ">", "a\nb"), (".", "x", "a\nb"), ("(?s).", "x", "a\nb"), ("[^a]", "", "a\nb"), ("(?i)k", "q", "kK\u212a"), ("(.)", "$1é", "ab"), ("(.)", "${1}é", "ab"), ("(?P<n>a)", "[$n]", "aba"),
            ("a|", "x", "bab"), ("a", "$", "a"), ("a", "$$", "a"), ("a", "$0$0", "ab"), ("(", "x", "a"), ("a**", "x", "a"), ("[z-a]", "x", "a"), ("\\", "x", "a"), ("x*", "-", "日x本"), ("\\pL", "L", "a1日"), ("a{2}", "b", "aaaaa"), ("(?:)", "-", "ab")]

MATCHED = [("a", "ba"), ("^a", "ba"), ("a$", "ba"), (".", "\n"), ("(?s).", "\n"), ("\\d", "x\u0661"), ("\\w", "日"), ("\\s", "\u00a0"), ("[[:alpha:]]", "é"), ("\\bé", "é"), ("\\Bé", "é"), ("a)|(b", "a"), ("(?x)a", "a"), ("\\Q.\\E", "a"), ("^$", ""), ("a\\z", "a\n"), ("a$", "a\n")]


def split(line):
    """Patterns of a line: alternatives outside of brackets are meant to be cut, so every `|` separates, and the whole line
    is no pattern. Patterns with a `|` of their own are cut in pieces that are patterns (or refused) too."""
    return line.split("|")


def patterns():
    found = []
    for line in HAND.strip().split("\n"):
        found += split(line)
    found += ["a|b", "a|", "|a", "|", "||", "a||b", "(a|b)", "(|a)", "(a|)", "()|a", "a{b}|日本", "x{,2}|日本", "^a|b$", "(^a|b$)", "a|*", "a|*b", "(?|a|b)", "(a|b)+", "(|a)*", "(|a)+", "(a|b*)*", "(?:a|b)*c", "a)|(b", "(?i)a|B",
              "a(?i)b|C", "(?:a(?i)b|C)c", "(GET|POST) .*", "node_(cpu|memory)_.*", "[a|b]+", "\\||a", "(?:(a)|(b))*", "a|b|ab|abc", "(?i)a|日本", "é|日", "日本|", "a.*|b", ".*|a", ".+|", "a|.+", "(a|(b|(c|)))+"]
    random.seed(3)
    for _ in range(700):
        found.append("".join(random.choice(ATOMS) + random.choice(REPEATS) for _ in range(random.randint(1, 5))))
    return list(dict.fromkeys(found))


class Server:
    def __init__(self, program, folder):
        self.folder = pathlib.Path(folder)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.address = f"127.0.0.1:{free.getsockname()[1]}"
        self.now = 1_700_000_000
        self.write(program)
        log = open(self.folder / "log", "w")
        self.process = subprocess.Popen(
            [program, f"--config.file={self.folder}/p.yml", f"--storage.tsdb.path={self.folder}/data", f"--web.listen-address={self.address}", "--storage.tsdb.retention.time=100y"],
            stdout=log, stderr=log)
        for _ in range(300):
            try:
                urllib.request.urlopen(f"http://{self.address}/-/ready")
                return
            except OSError:
                time.sleep(0.1)
        raise SystemExit((self.folder / "log").read_text())

    def write(self, program):
        quoted = lambda text: '"' + text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"') + '"'
        lines = ["# TYPE odd gauge"] + [f"odd{{i=\"{at}\",l={quoted(subject)}}} 1 {self.now}" for at, subject in enumerate(SUBJECTS)] + ["# EOF", ""]
        (self.folder / "series").write_text("\n".join(lines))
        promtool = pathlib.Path(program).with_name("promtool")
        subprocess.run([promtool, "tsdb", "create-blocks-from", "openmetrics", self.folder / "series", self.folder / "data"], check=True, stdout=sys.stderr)
        rules = [(f"replaced{at}", template("reReplaceAll", *case)) for at, case in enumerate(REPLACED)]
        rules += [(f"matched{at}", template("match", *case)) for at, case in enumerate(MATCHED)]
        rules = [{"alert": name, "expr": "vector(1)", "annotations": {"said": text}} for name, text in rules]
        (self.folder / "rules.yml").write_text(json.dumps({"groups": [{"name": "g", "interval": "1s", "rules": rules}]}))
        (self.folder / "p.yml").write_text("rule_files: [rules.yml]\n")

    def ask(self, path, **parameters):
        try:
            with urllib.request.urlopen(f"http://{self.address}/api/v1/{path}", urllib.parse.urlencode(parameters).encode() if parameters else None) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            return json.load(error)

    def query(self, text):
        return self.ask("query", query=text, time=self.now)


def template(function, *arguments):
    return "{{ " + function + " " + " ".join(json.dumps(argument, ensure_ascii=False) for argument in arguments) + " }}"


def reason(answer):
    """Go's reason, without what the parser puts before and after it."""
    return re.search(r"error parsing regexp: .*", answer["error"], re.DOTALL).group()


def matcher(server, pattern):
    answer = server.query(f"odd{{l=~{json.dumps(pattern, ensure_ascii=False)}}}")
    if answer["status"] == "error":
        return {"pattern": pattern, "refused": reason(answer)}
    return {"pattern": pattern, "matches": sorted(int(series["metric"]["i"]) for series in answer["data"]["result"])}


def expansion(server, pattern, written):
    answer = server.query(f'label_replace(odd, "n", {json.dumps("=" + written, ensure_ascii=False)}, "l", {json.dumps(pattern, ensure_ascii=False)})')
    if answer["status"] == "error":
        return {"pattern": pattern, "template": written, "refused": answer["error"]}
    return {"pattern": pattern, "template": written, "expanded": {series["metric"]["i"]: series["metric"]["n"][1:] for series in answer["data"]["result"] if "n" in series["metric"]}}


def main():
    program = os.environ["STREAMFLOW_PROMETHEUS"]
    with tempfile.TemporaryDirectory() as folder:
        server = Server(program, folder)
        try:
            version = server.ask("status/buildinfo")["data"]
            matchers = [matcher(server, pattern) for pattern in patterns()]
            expansions = [expansion(server, pattern, written) for pattern in EXPANDED for written in (TEMPLATES if pattern in EXPANDED[:3] else TEMPLATES[:4] + ["$n", "${n}$1|$2|$3", "$1a", "$10$11"])]
            time.sleep(3)
            said = {alert["labels"]["alertname"]: alert["annotations"].get("said", "") for alert in server.ask("alerts")["data"]["alerts"]}
            replaced = [{"pattern": p, "template": t, "text": x, "said": said[f"replaced{at}"]} for at, (p, t, x) in enumerate(REPLACED)]
            matched = [{"pattern": p, "text": x, "said": said[f"matched{at}"]} for at, (p, x) in enumerate(MATCHED)]
        finally:
            server.process.terminate()
            server.process.wait()
    table = {"prometheus": version["version"], "go": version["goVersion"], "subjects": SUBJECTS, "matchers": matchers, "expansions": expansions, "replaced": replaced, "matched": matched}
    rows = ",\n".join(f" {json.dumps(key)}: " + ("[\n" + ",\n".join("  " + json.dumps(row, ensure_ascii=False) for row in value) + "\n ]" if isinstance(value, list) and value and isinstance(value[0], dict) else json.dumps(value, ensure_ascii=False)) for key, value in table.items())
    print("{\n" + rows + "\n}")


main()
