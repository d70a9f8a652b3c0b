// Writes what Go reads and writes: the expectations of crates/gotext/tests/golden.rs.
//
//	go run tools/golden/gotext.go > crates/gotext/tests/golden/go.json
//
// Any Go from 1.18 on gives the same numbers; the file names the version that wrote it. What is printable follows the
// Unicode tables of the version, so only characters older than those are in it.
package main

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand"
	"path/filepath"
	"runtime"
	"strconv"
)

type float struct {
	Bits                                                             string
	General, JSON, Fixed, Exponential, Fixed2, General4, Hexadecimal string
}

type parsed struct{ Text, Bits, Error string }

type quoted struct {
	Bytes []int
	Text  string
}

type globbed struct {
	Pattern string
	Matches []string
	Bad     bool
}

func bits(value float64) string { return strconv.FormatUint(math.Float64bits(value), 16) }

// As encoding/json chooses the form, with the exponent as Prometheus's API writes it.
func jsonNumber(value float64) string {
	format := byte('f')
	if size := math.Abs(value); size != 0 && (size < 1e-6 || size >= 1e21) {
		format = 'e'
	}
	return strconv.FormatFloat(value, format, -1, 64)
}

func floats() (found []float) {
	values := []float64{0, math.Copysign(0, -1), 1, -1.1, 21.5, 0.1, 0.30000000000000004, 1e-4, 1e-5, 9.999999999999999e-5,
		1e-6, 9.999999999999999e-7, 1e-7, 123456, 999999.9999999999, 1e6, 1234567, 1e15, 1e20, 1e21, 9.999999999999999e20,
		1.25e100, math.MaxFloat64, 5e-324, 2.2250738585072014e-308, math.NaN(), math.Inf(1), math.Inf(-1)}
	random := rand.New(rand.NewSource(1))
	for i := 0; i < 60; i++ {
		values = append(values, math.Float64frombits(random.Uint64()), math.Exp(random.Float64()*80-40), float64(random.Intn(1e7))/1000)
	}
	for _, value := range values {
		found = append(found, float{
			Bits:        bits(value),
			General:     strconv.FormatFloat(value, 'g', -1, 64),
			JSON:        jsonNumber(value),
			Fixed:       strconv.FormatFloat(value, 'f', -1, 64),
			Exponential: strconv.FormatFloat(value, 'e', -1, 64),
			Fixed2:      fmt.Sprintf("%.2f", value),
			General4:    fmt.Sprintf("%.4g", value),
			Hexadecimal: strconv.FormatFloat(value, 'x', -1, 64),
		})
	}
	return found
}

func numbers() (asFloat, asInt []parsed) {
	texts := []string{"", "0", "-0", "7", "+7", "+-7", "1.", "+1.", ".5", "-.5e3", ".", "e5", "1e", "1E5", "1e400", "-1e400", "1e-400",
		"4.9e-324", "inf", "Inf", "+INF", "-infinity", "infinit", "nan", "NAN", "+nan", "-NaN", "1_000", "1_23.50_0_0e+1_2",
		"1_", "_1", "1__0", "1_e5", "1e_5", "1_.5", "1 ", " 1", "é", "1_é", "0x1F", "0X_1f", "0x", "0x_", "0x1_", "017", "0_17", "08", "0o17",
		"0o_17", "0b101", "0b2", "-0b1", "9223372036854775807", "9223372036854775808", "-9223372036854775808",
		"-9223372036854775809", "99999999999999999999999999"}
	message := func(err error) string {
		if err == nil {
			return ""
		}
		return err.Error()
	}
	for _, text := range texts {
		value, err := strconv.ParseFloat(text, 64)
		if len(text) < 2 || text[0] != '0' || text[1] == '.' || text[1] == '8' {
			asFloat = append(asFloat, parsed{text, bits(value), message(err)})
		}
		whole, err := strconv.ParseInt(text, 0, 64)
		asInt = append(asInt, parsed{text, strconv.FormatInt(whole, 10), message(err)})
	}
	return asFloat, asInt
}

func quotes() (found []quoted) {
	texts := []string{"", "a\"b\\c'd`", "\a\b\f\n\r\t\v", "\x00\x1f\x7f", "é世\u0301", "\u0301", "\u0085\u00a0\u00ad\u200b\u2028\ufeff",
		"\U000e0001\U0010ffff", "😀", "\ufffd", "a\xc5z", "\xff\xfe", "\xe4\xb8", "\xed\xa0\x80"}
	for _, text := range texts {
		bytes := []int{}
		for _, b := range []byte(text) {
			bytes = append(bytes, int(b))
		}
		found = append(found, quoted{bytes, strconv.Quote(text)})
	}
	return found
}

var names = []string{"", "/", "-", "]", "é", "a", "m", "rules.yml", ".yml", "rules.yaml", "rules_.yml", "a/rules.yml",
	"a/b/rules.yml", "shard-1.json", "shard-12.json", "shard-x.json", "shard--.json", "all*.yml", "all1.yml", "aaab", "abab",
	"ab/ab", "\\"}

func globs() (found []globbed) {
	patterns := []string{"", "*", "**", "?", "rules.yml", "*.yml", "*.y?ml", "rules*", "*/rules.yml", "*/*", "*/*/rules.yml",
		"shard-[0-9].json", "shard-[0-9]*.json", "shard-[^0-9].json", "shard-[^a-z0-9].json", "shard-[\\-x].json", "all\\*.yml",
		"all?.yml", "*a*b", "a*b*a*b", "*ab", "*b*", "[a-é]", "[^a]", "[^/]", "[\\]]", "[-", "[-]", "[a-", "[a-]", "[a-b-c]",
		"[]", "[]a]", "[^", "[^]", "a[", "[\\", "a\\", "\\\\"}
	for _, pattern := range patterns {
		row := globbed{Pattern: pattern, Matches: []string{}}
		for _, name := range names {
			matches, err := filepath.Match(pattern, name)
			row.Bad = row.Bad || err != nil
			if matches {
				row.Matches = append(row.Matches, name)
			}
		}
		found = append(found, row)
	}
	return found
}

func main() {
	asFloat, asInt := numbers()
	section("version", []string{runtime.Version()}, "{")
	section("floats", floats(), ",")
	section("parse_float", asFloat, ",")
	section("parse_int", asInt, ",")
	section("quotes", quotes(), ",")
	section("names", names, ",")
	section("globs", globs(), ",")
	fmt.Println("}")
}

// A section of the file, a row a line.
func section[T any](name string, rows []T, before string) {
	fmt.Printf("%s\n%q: [\n", before, name)
	for i, row := range rows {
		text, err := json.Marshal(row)
		if err != nil {
			panic(err)
		}
		end := ","
		if i == len(rows)-1 {
			end = ""
		}
		fmt.Printf("%s%s\n", text, end)
	}
	fmt.Print("]")
}
