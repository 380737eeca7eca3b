package deliver

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func mustParsePrefix(t *testing.T, member, text string) *Prefix {
	t.Helper()
	p, err := ParsePrefix(member, text)
	if err != nil {
		t.Fatalf("ParsePrefix(%q): %v", text, err)
	}
	return p
}

func TestPrefixEval(t *testing.T) {
	at := time.Date(2018, 8, 27, 10, 30, 0, 987654321, time.UTC)
	v := Values{
		Time:       at,
		FromQuery:  map[string]string{"customer_id": "c/1", "empty": ""},
		FromLambda: map[string]string{"customer_id": "l"},
		ErrorType:  "processing-failed",
	}
	seoul := v
	seoul.Zone = time.FixedZone("KST", 9*60*60)
	late := v
	late.Time = at.Add(13 * time.Hour).In(seoul.Zone) // UTC wherever it comes from
	const random = "[0-9a-z]{11}"
	for _, tt := range []struct {
		text     string
		v        Values
		want     string // a regular expression
		withTime string // that EvalWithTime appends
	}{
		{"", v, "", "2018/08/27/10/"},
		{"legacy", v, "legacy", "2018/08/27/10/"},
		{"legacy/", late, "legacy/", "2018/08/27/23/"},
		{"legacy/", seoul, "legacy/", "2018/08/27/19/"},
		{"a}b{c!d!", v, `a}b{c!d!`, "2018/08/27/10/"},
		// The developer guide's examples.
		{"myPrefix/ts=!{timestamp:yyyy}-!{timestamp:MM}/", v, "myPrefix/ts=2018-08/", ""},
		{"myFirehosePrefix-!{timestamp:'year='yyyy'/month='MM/}", v, "myFirehosePrefix-year=2018/month=08/", ""},
		{"!{firehose:random-string}/", v, random + "/", ""}, // as AWS was seen to
		{
			"!{timestamp:yyyy/'week'w/}!{firehose:error-output-type}/!{firehose:random-string}/", v,
			"2018/week35/processing-failed/" + random + "/", "",
		},
		{
			"customer_id=!{partitionKeyFromQuery:customer_id}/!{partitionKeyFromLambda:customer_id}/!{timestamp:yyyy}/", v,
			"customer_id=c/1/l/2018/", "",
		},
		{"!{partitionKeyFromQuery:empty}", v, "", ""},
		{"!{timestamp:HH:mm:ss.SSS VV}", seoul, "19:30:00.000 KST", ""},
		{"!{timestamp:HH}", late, "23", ""},
		{"!{timestamp:}x", v, "x", ""},
		{"!{timestamp:H:m}", v, "10:30", ""},
	} {
		p, err := ParsePrefix("Prefix", tt.text)
		if err != nil {
			t.Errorf("prefix %q: %v", tt.text, err)
			continue
		}
		got, err := p.Eval(tt.v)
		if err != nil || !regexp.MustCompile("^"+tt.want+"$").MatchString(got) {
			t.Errorf("prefix %q: evaluated %q, %v, want %q", tt.text, got, err, tt.want)
		}
		got, err = p.EvalWithTime(tt.v)
		if err != nil || !regexp.MustCompile("^"+tt.want+tt.withTime+"$").MatchString(got) {
			t.Errorf("prefix %q: with time %q, %v, want %q then %q", tt.text, got, err, tt.want, tt.withTime)
		}
		if p.String() != tt.text {
			t.Errorf("prefix %q: String is %q", tt.text, p.String())
		}
	}
}

func TestPrefixRandomStringIsNewInEachPlace(t *testing.T) {
	p := mustParsePrefix(t, "Prefix", "!{firehose:random-string}/!{firehose:random-string}")
	seen := map[string]bool{}
	for range 100 {
		s, err := p.Eval(Values{})
		if err != nil {
			t.Fatal(err)
		}
		for half := range strings.SplitSeq(s, "/") {
			if len(half) != 11 || seen[half] {
				t.Fatalf("random string %q is not new, or not of 11 characters", half)
			}
			seen[half] = true
		}
	}
}

func TestPrefixEvalFails(t *testing.T) {
	v := Values{Time: time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC), FromQuery: map[string]string{"a": "1"}}
	for _, text := range []string{
		"!{partitionKeyFromQuery:b}", "!{partitionKeyFromLambda:a}", "!{timestamp:pd}", "!{timestamp:yyyyyyyyyyy}",
	} {
		p := mustParsePrefix(t, "Prefix", text)
		if s, err := p.Eval(v); err == nil {
			t.Errorf("%s: evaluated %q, want an error", text, s)
		}
		if s, err := p.EvalWithTime(v); err == nil {
			t.Errorf("%s: with time %q, want an error", text, s)
		}
	}
}

func TestPrefixContents(t *testing.T) {
	p := mustParsePrefix(t, "Prefix", "x/!{partitionKeyFromQuery:b}/!{partitionKeyFromLambda:c}/!{partitionKeyFromQuery:a}/!{partitionKeyFromQuery:b}")
	query, lambda := p.Keys()
	if diff := cmp.Diff([][]string{{"b", "a"}, {"c"}}, [][]string{query, lambda}); diff != "" {
		t.Error(diff)
	}
	for _, tt := range []struct {
		text                   string
		expressions, errorType bool
	}{
		{"", false, false},
		{"a/!", false, false},
		{"!{timestamp:yyyy}", true, false},
		{"!{firehose:random-string}", true, false},
		{"a/!{firehose:error-output-type}", true, true},
		{"!{partitionKeyFromQuery:a}", true, false},
	} {
		p := mustParsePrefix(t, "Prefix", tt.text)
		got := []bool{p.HasExpressions(), p.HasErrorType()}
		if diff := cmp.Diff([]bool{tt.expressions, tt.errorType}, got); diff != "" {
			t.Errorf("%q: %s", tt.text, diff)
		}
	}
}

// constraint is what AWS puts in front of a broken one.
const constraint = "The supplied prefix(es) do not satisfy the following constraint: "

func TestParsePrefixRefuses(t *testing.T) {
	usage := func(text string) string {
		return constraint + "Invalid expression usage: " + text + ".Must be of the form !{<namespace>:<value>}"
	}
	value := func(member string) string {
		return constraint + "Invalid conversion character used in the value of the expression in " + member
	}
	namespace := func(name string) string {
		return constraint + "Namespace to the left of colon (" + name + ") is an invalid keyword!"
	}
	for _, tt := range []struct{ member, text, want string }{
		{"Prefix", "my!{prefix/", constraint + "Invalid expression usage: my!{prefix/.Must be of the form !{<namespace>:<value>}"}, // as AWS was seen to
		{"Prefix", "a/!{", usage("a/!{")},
		{"Prefix", "!{timestamp:yyyy", usage("!{timestamp:yyyy")},
		{"Prefix", "!{timestamp:yyyy}/!{", usage("!{timestamp:yyyy}/!{")},
		{"Prefix", "!{}", usage("!{}")},
		{"Prefix", "!{timestamp}", usage("!{timestamp}")},
		{"Prefix", "!{:yyyy}", usage("!{:yyyy}")},
		{"Prefix", "!{timestamp:!{timestamp:yyyy}}", usage("!{timestamp:!{timestamp:yyyy}}")},
		{"Prefix", "!{!{timestamp:yyyy}}", usage("!{!{timestamp:yyyy}}")},
		{"Prefix", "!{Timestamp:yyyy}", namespace("Timestamp")},
		{"Prefix", "!{ timestamp:yyyy}", namespace(" timestamp")},
		{"Prefix", "!{s3:x}", namespace("s3")},
		{"Prefix", "!{firehose:random}", value("Prefix")},
		{"ErrorOutputPrefix", "!{firehose:}", value("ErrorOutputPrefix")},
		{"ErrorOutputPrefix", "!{timestamp:b}", value("ErrorOutputPrefix")},
		{"Prefix", "!{timestamp:yyyy-'T}", value("Prefix")},
		{"Prefix", "!{timestamp:yyyy{MM}", value("Prefix")},
		{"Prefix", "!{timestamp:'}'}", value("Prefix")}, // the first } ends it
	} {
		if _, err := ParsePrefix(tt.member, tt.text); err == nil || err.Error() != tt.want {
			t.Errorf("ParsePrefix(%s, %q): %v, want %s", tt.member, tt.text, err, tt.want)
		}
	}
}

// AWS was seen to refuse just these letters, each alone in a pattern.
func TestParsePrefixLettersThatAWSRefuses(t *testing.T) {
	var refused strings.Builder
	for c := 'A'; c <= 'z'; c++ {
		if !isLetter(byte(c)) {
			continue
		}
		if _, err := ParsePrefix("Prefix", fmt.Sprintf("!{timestamp:%c}", c)); err != nil {
			refused.WriteRune(c)
		}
	}
	if diff := cmp.Diff("CIJPRTUVbfijloprt", refused.String()); diff != "" {
		t.Error(diff)
	}
}

func TestCheckPrefixes(t *testing.T) {
	const (
		time      = "!{timestamp:yyyy}/"
		key       = "!{partitionKeyFromQuery:k}/"
		lambdaKey = "!{partitionKeyFromLambda:k}/"
		errorType = "!{firehose:error-output-type}/"
		random    = "!{firehose:random-string}/"

		noErrorPrefix = constraint + "ErrorOutputPrefix cannot be null or empty when Prefix contains expressions"
		noErrorType   = constraint + "ErrorOutputPrefix must contain at least one occurrence of !{firehose:error-output-type}"
		notHere       = constraint + "Prefix must not contain any occurrence of !{firehose:error-output-type}"
		keyInError    = "Dynamic Partitioning Namespaces can't be part of an error prefix expression"
		notPartition  = "Dynamic Partitioning Namespaces can only be part of a prefix expression when Dynamic Partitioning is enabled."
		noKey         = "S3 Prefix should contain Dynamic Partitioning namespaces when Dynamic Partitioning is enabled"
		long          = constraint + "Length of evaluated prefix cannot be greater than 512"
		longError     = constraint + "Length of evaluated ErrorOutputPrefix cannot be greater than 512"
		value         = constraint + "Invalid conversion character used in the value of the expression in Prefix"
	)
	x := func(n int) string { return strings.Repeat("é", n) }
	for _, tt := range []struct {
		prefix, errorPrefix string
		partitioned         bool
		want                string
	}{
		{"", "", false, ""},
		{"a", "", false, ""},
		{"", "a", false, ""},
		{"a", "b", false, ""},
		{time, "", false, noErrorPrefix},
		{time, "plain/", false, ""},
		{time, errorType, false, ""},
		{random, random, false, noErrorType},
		{"", time, false, noErrorType},
		{"", time + errorType, false, ""},
		{errorType, errorType, false, notHere},
		{"", key + errorType, false, keyInError},
		{key, lambdaKey + errorType, true, keyInError},
		{key, errorType, false, notPartition},
		{lambdaKey, errorType, false, notPartition},
		{key, errorType, true, ""},
		{lambdaKey + time, errorType, true, ""},
		{key, "", true, noErrorPrefix},
		{"", "", true, noKey},
		{time, errorType, true, noKey},
		{x(512), "", false, ""},
		{x(513), "", false, long},
		{x(507) + time, errorType, false, ""},
		{x(508) + time, errorType, false, long},
		{x(500) + random, errorType, false, ""},
		{x(501) + random, errorType, false, long},
		{x(511) + key, errorType, true, ""},
		{x(512) + key, errorType, true, long},
		{"", x(512), false, ""},
		{"", x(513), false, longError},
		{"!{timestamp:pppppppyyyyyyyy}", errorType, false, value},
	} {
		got := ""
		err := CheckPrefixes(mustParsePrefix(t, "Prefix", tt.prefix),
			mustParsePrefix(t, "ErrorOutputPrefix", tt.errorPrefix), tt.partitioned, nil)
		if err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("prefixes %.60q and %.60q, partitioned %t: %q, want %q", tt.prefix, tt.errorPrefix, tt.partitioned, got, tt.want)
		}
	}
	if err := CheckPrefixes(nil, nil, false, nil); err != nil {
		t.Error(err)
	}
	if err := CheckPrefixes(mustParsePrefix(t, "Prefix", time), nil, false, nil); err == nil || err.Error() != noErrorPrefix {
		t.Errorf("an expression and no ErrorOutputPrefix: %v", err)
	}
}

// TestCheckPrefixesForAYear: whatever month it is, a pattern is refused that has no
// text in another one, and in the zone that it is for.
func TestCheckPrefixesForAYear(t *testing.T) {
	london, err := time.LoadLocation("Europe/London")
	if err != nil {
		t.Fatal(err)
	}
	for month := range 12 {
		synctest.Test(t, func(t *testing.T) {
			time.Sleep(time.Until(time.Date(2026, time.Month(month+1), 3, 1, 2, 3, 0, time.UTC)))
			for _, tt := range []struct {
				pattern string
				zone    *time.Location
				ok      bool
			}{
				{"pppppppppMMMM", nil, true},     // September has 9
				{"ppppppppMMMM", nil, false},     // and not 8
				{"pppppppppEEEE", nil, true},     // Wednesday
				{"ppppppppEEEE", nil, false},     //
				{"ppd", nil, true},               //
				{"pd", nil, false},               // from the tenth
				{"pppD", nil, true},              //
				{"ppD", nil, false},              // from April
				{"pH", nil, false},               // from ten
				{"pph", nil, true},               //
				{"ph", nil, false},               // from ten to twelve
				{"pK", nil, false},               //
				{"pm", nil, false},               //
				{"ppw", nil, true},               //
				{"pw", nil, false},               //
				{"pppppppA", nil, false},         // milliseconds of the day, from 10,000,000
				{"ppppppppppppppppB", nil, true}, // in the afternoon
				{"pppppppppppppppB", nil, false}, //
				{"pXXX", nil, true},              // Z
				{"pXXX", london, false},          // +01:00 in summer
				{"ppppppXXX", london, true},      //
				{"yyyyyyyyyyy", nil, false},      // in no year
			} {
				err := CheckPrefixes(mustParsePrefix(t, "Prefix", "!{timestamp:"+tt.pattern+"}"), mustParsePrefix(t, "ErrorOutputPrefix", "e"), false, tt.zone)
				if (err == nil) != tt.ok {
					t.Errorf("in month %d, pattern %s: %v, want ok: %t", month+1, tt.pattern, err, tt.ok)
				}
			}
		})
	}
}

func ExampleParsePrefix() {
	p, err := ParsePrefix("Prefix", "customer=!{partitionKeyFromQuery:customer}/!{timestamp:'year='yyyy'/day='DDD}/")
	if err != nil {
		fmt.Println(err)
		return
	}
	key, err := p.Eval(Values{
		Time:      time.Date(2026, 2, 1, 9, 30, 0, 0, time.UTC),
		FromQuery: map[string]string{"customer": "acme"},
	})
	fmt.Println(key, err)

	plain, _ := ParsePrefix("Prefix", "logs/")
	key, err = plain.EvalWithTime(Values{Time: time.Date(2026, 2, 1, 9, 30, 0, 0, time.UTC)})
	fmt.Println(key, err)

	_, err = ParsePrefix("Prefix", "logs/!{timestamp:yyyy/T}")
	fmt.Println(err)
	// Output:
	// customer=acme/year=2026/day=032/ <nil>
	// logs/2026/02/01/09/ <nil>
	// The supplied prefix(es) do not satisfy the following constraint: Invalid conversion character used in the value of the expression in Prefix
}

func FuzzPrefix(f *testing.F) {
	for _, s := range []string{
		"", "plain/", "!{timestamp:yyyy/MM/dd}", "!{timestamp:'a'''[ppd]}", "!{firehose:random-string}",
		"!{partitionKeyFromQuery:a}", "!{", "!{a:b}", "!{timestamp:ppHHmm}", "!{timestamp:zzzz VV vvvv O X x Z}", "!{timestamp:\xff}",
		"!{timestamp:ppppppppMMMM}", "!{timestamp:pppppppppppppppB}", "!{timestamp:ppD}", "!{timestamp:ppppppppAppppppppppppppN}", "!{timestamp:ppppzpppO}",
	} {
		f.Add(s, uint32(100_000_000), "Europe/London")
	}
	f.Fuzz(func(t *testing.T, text string, later uint32, name string) {
		if len(text) > 1024 {
			return // the API has refused it
		}
		zone, err := time.LoadLocation(name)
		if err != nil {
			zone = time.UTC
		}
		p, err := ParsePrefix("Prefix", text)
		if (err != nil || p.HasExpressions()) != strings.Contains(text, "!{") {
			t.Fatalf("%q: %v: expressions are not where !{ is", text, err)
		}
		if err != nil {
			return
		}
		fromQuery, fromLambda := p.Keys()
		// What zones will do in the next years is the same each year.
		v := Values{Time: time.Now().Add(time.Duration(later%(5*365*24*60*60)) * time.Second), Zone: zone, FromQuery: map[string]string{}, FromLambda: map[string]string{}}
		for _, k := range fromQuery {
			v.FromQuery[k] = "q"
		}
		for _, k := range fromLambda {
			v.FromLambda[k] = "l"
		}
		if s, err := p.Eval(v); !p.HasExpressions() && (s != text || err != nil) {
			t.Fatalf("%q evaluates to %q, %v", text, s, err)
		}
		errorPrefix := &Prefix{text: "e/"}
		if CheckPrefixes(p, errorPrefix, len(fromQuery)+len(fromLambda) > 0, zone) != nil {
			return
		}
		if key, err := (&Spec{Prefix: p, Zone: zone}).Key(v); err != nil {
			t.Fatalf("%q was admitted, and has no key at %v: %q, %v", text, v.Time, key, err)
		}
	})
}
