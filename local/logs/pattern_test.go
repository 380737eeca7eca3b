package logs

import (
	"strings"
	"testing"
)

const document = `{
	"user": {"id": 1, "email": "John.Stiles@example.com"}, "users": [{"id": 2, "email": "John.Doe@example.com"}, {"id": 3}],
	"actions": ["GET", "PUT"], "coordinates": [[0, 1, 2], [4, 5, 6]],
	"eventType": "UpdateTrail", "sourceIPAddress": "111.111.111.111", "none": null, "yes": true, "no": false,
	"status": 404, "latency": 12.5, "account": "000123456789", "a-b_c": "Ev*ent", "quote": "say \"hi\" \\ bye", "ü": "grün"
}`

func TestPatterns(t *testing.T) {
	const line = `[ERROR 419] MISSING ARGUMENTS: "a b" \ grün`
	for _, tt := range []struct {
		pattern, message string
		want             bool
	}{
		{"", line, true},
		{"  ", "", true},
		{"ERROR", line, true},
		{"error", line, false},
		{"ERR", line, true},
		{"ERROR ARGUMENTS", line, true},
		{"ARGUMENTS ERROR", line, true},
		{"ERROR 420", line, false},
		{`"ERROR 419"`, line, true},
		{`"ERROR ARGUMENTS"`, line, false},
		{`"] MISSING" grün`, line, true},
		{`"\"a b\" \\"`, line, true},
		{"?ERROR ?WARN", line, true},
		{"?FATAL ?WARN", line, false},
		{`?FATAL ?"ERROR 419"`, line, true},
		{"ERROR -ARGUMENTS", line, false},
		{"ERROR -WARN", line, true},
		{`"ERROR" - "WARN"`, line, true},
		{"-WARN", line, true},
		{`-"ERROR 419"`, line, false},

		{`{ $.eventType = "UpdateTrail" }`, document, true},
		{`{$.eventType=UpdateTrail}`, document, true},
		{`{ $.eventType = "Update*" }`, document, true},
		{`{ $.eventType = *Trail }`, document, true},
		{`{ $.eventType = "*ateTr*" }`, document, true},
		{`{ $.eventType = * }`, document, true},
		{`{ $.missing = * }`, document, false},
		{`{ $.eventType = "Up*Trail" }`, document, false},
		{`{ $.a-b_c = "Ev*ent" }`, document, true},
		{`{ $.eventType != "UpdateTrail" }`, document, false},
		{`{ $.sourceIPAddress != 123.123.* }`, document, true},
		{`{ $.sourceIPAddress = 111.111.* }`, document, true},
		{`{ $.quote = "say \"hi\" \\ bye" }`, document, true},
		{`{ $.actions[0] = GET }`, document, true},
		{`{ $.actions[7] = GET }`, document, false},
		{`{ $.coordinates[1][2] = 6 }`, document, true},
		{`{ $.users[1].id = 3 }`, document, true},
		{`{ $.users[1].email NOT EXISTS }`, document, true},
		{`{ $.users[0].email not exists }`, document, false},
		{`{ $.eventType[0] = U }`, document, false},
		{`{ $.eventType.x = U }`, document, false},
		{`{ $.users = 1 }`, document, false},
		{`{ $.users != 1 }`, document, false},
		{`{ $.user != x }`, document, false},
		{`{ $.missing != x }`, document, false},
		{`{ $.none != x }`, document, false},
		{`{ $.none IS NULL }`, document, true},
		{`{ $.missing IS NULL }`, document, false},
		{`{ $.yes IS NULL }`, document, false},
		{`{ $.none NOT EXISTS }`, document, false},
		{`{ $.missing NOT EXISTS }`, document, true},
		{`{ $.yes IS TRUE }`, document, true},
		{`{ $.no IS TRUE }`, document, false},
		{`{ $.no IS FALSE }`, document, true},
		{`{ $.user IS FALSE }`, document, false},
		{`{ $.yes = true }`, document, true},
		{`{ $.status = 404 }`, document, true},
		{`{ $.status = 4.04e2 }`, document, true},
		{`{ $.status = "404" }`, document, true},
		{`{ $.status = 4* }`, document, true},
		{`{ $.status != 500 }`, document, true},
		{`{ $.latency > 12 }`, document, true},
		{`{ $.latency > +12.5 }`, document, false},
		{`{ $.latency >= 12.5 }`, document, true},
		{`{ $.latency<=12.5 }`, document, true},
		{`{ $.latency < 1e1 }`, document, false},
		{`{ $.latency > -1 }`, document, true},
		{`{ $.eventType > 1 }`, document, false},
		{`{ $.account = 000123456789 }`, document, true},
		{`{ $.account = 123456789 }`, document, false},
		{`{ $.account != 123456789 }`, document, true},
		{`{ ($.user.id = 1) && ($.users[0].email = "John.Doe@example.com") }`, document, true},
		{`{ ($.user.id = 2 && $.users[0].email = "nonmatch") || $.actions[2] = "GET" }`, document, false},
		{`{ $.user.email = "John.Stiles@example.com" || $.coordinates[0][1] = nonmatch && $.actions[1] = nomatch }`, document, true},
		{`{ ($.user.email = "John.Stiles@example.com" || $.coordinates[0][1] = nonmatch) && $.actions[1] = nomatch }`, document, false},
		{`{ $.status = 404 }`, "x" + document, false},
		{`{ $.status = 404 }`, document + "x", false},
		{`{ $.status = 404 }`, "status 404", false},
		{`{ $.status = 404 }`, "[1]", false},
		{`{ $[0].a = 1 }`, `[{"a": 1}]`, true},
	} {
		m, err := parsePattern(tt.pattern)
		if err != nil {
			t.Errorf("%s: %v", tt.pattern, err)
		} else if got := m(tt.message); got != tt.want {
			t.Errorf("%s on %s: %v", tt.pattern, tt.message, got)
		}
	}
}

func TestBadPatterns(t *testing.T) {
	for _, tt := range []struct{ pattern, want string }{
		{"a.b", "InvalidParameterException: Invalid character(s) in term 'a.b'"},
		{"ERROR:", "Invalid character(s) in term 'ERROR:'"},
		{"-", "Invalid character(s) in term ''"},
		{"a ? b", "Invalid character(s) in term ''"},
		{`a "b`, `InvalidParameterException: Invalid filter pattern: the quote before "\"b" is not closed`},
		{"%a%", "NotImplementedException: The local Firehose does not support regular expressions"},
		{"[ip, user]", "NotImplementedException: The local Firehose does not support space-delimited"},
		{"?a b", "NotImplementedException: The local Firehose does not support ?term beside"},
		{"?a -b", "NotImplementedException: "},
		{strings.Repeat("a", maxPattern+1), "InvalidParameterException: 1 validation error detected: Value at 'filterPattern'"},
		{"{", "a selector such as $.errorCode is expected"},
		{"{}", `a selector such as $.errorCode is expected before "}"`},
		{"{ $ = 1 }", "a property such as .errorCode is expected"},
		{"{ $.a }", "=, !=, <, <=, >, >=, IS or NOT EXISTS is expected"},
		{"{ $.a = }", "a number or a text"},
		{"{ $.a = @ }", "a number or a text"},
		{"{ $.a = 1", "the closing brace is expected"},
		{"{ $.a = 1 } x", "the closing brace is expected"},
		{"{ $.a = 1 $.b = 2 }", "the closing brace is expected"},
		{"{ ($.a = 1 }", "a closing parenthesis is expected"},
		{"{ $.a = 1 && }", "a selector"},
		{"{ $.a > x }", "> is for numbers"},
		{`{ $.a > "1" }`, "> is for numbers"},
		{"{ $.a IS 1 }", "NULL, TRUE or FALSE is expected"},
		{"{ $.a NOT 1 }", "EXISTS is expected"},
		{"{ $.a = %x% }", "NotImplementedException: The local Firehose does not support regular expressions"},
		{"{ $.a[*] = 1 }", "NotImplementedException: The local Firehose does not support the selector"},
		{"{ $.['a'] = 1 }", "NotImplementedException: The local Firehose does not support the selector"},
	} {
		if _, err := parsePattern(tt.pattern); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want …%s…", tt.pattern, err, tt.want)
		}
	}
}

// FuzzPattern: no pattern and no message does harm, and a message quoted as a
// pattern matches itself.
func FuzzPattern(f *testing.F) {
	f.Add(`{ ($.a.b[0] = "x*" && $.c IS NULL) || $.d >= 1.5 }`, document)
	f.Add(`?"a b" ?c`, "a b")
	f.Add(`one -"two"`, "one")
	f.Fuzz(func(t *testing.T, pattern, message string) {
		if m, err := parsePattern(pattern); err == nil {
			m(message)
		}
		quoted := `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(message) + `"`
		if len(quoted) >= maxPattern { // there will be a dash, too
			return
		}
		m, err := parsePattern(quoted)
		if err != nil || !m(message) {
			t.Errorf("%q does not match %q: %v", quoted, message, err)
		}
		if m, err := parsePattern("-" + quoted); err != nil || m(message) {
			t.Errorf("-%q matches %q: %v", quoted, message, err)
		}
	})
}
