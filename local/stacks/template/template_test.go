package template

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

var env = Env{
	Region: "eu-west-1", Account: "123456789012", StackName: "events",
	StackID: "arn:aws:cloudformation:eu-west-1:123456789012:stack/events/1", NotificationARNs: []string{"arn:one", "arn:two"},
}

// attributes is what resources of the tests give: Ref a name made of the ID.
func attributes(id, attribute string) (any, bool) {
	switch attribute {
	case "":
		return "the-" + strings.ToLower(id), true
	case "Arn":
		return "arn:aws:x:::" + strings.ToLower(id), true
	case "Names":
		return []any{"a", "b"}, true
	case "Deep.Er":
		return json.Number("7"), true
	}
	return nil, false
}

func parse(t *testing.T, body string) *Template {
	t.Helper()
	tmpl, err := Parse([]byte(body))
	if err != nil {
		t.Fatalf("%v in\n%s", err, body)
	}
	return tmpl
}

func bind(t *testing.T, body string, parameters ...string) *Bound {
	t.Helper()
	b, err := parse(t, body).Bind(env, given(parameters...), nil)
	if err != nil {
		t.Fatalf("%v in\n%s", err, body)
	}
	return b
}

// given makes parameters of Key=Value.
func given(parameters ...string) map[string]Given {
	m := map[string]Given{}
	for _, p := range parameters {
		key, value, _ := strings.Cut(p, "=")
		m[key] = Given{Value: value}
	}
	return m
}

// evaluate parses, binds and evaluates all of a template: what Properties gives by logical
// ID, and outputs by key.
func evaluate(body string) (map[string]any, error) {
	tmpl, err := Parse([]byte(body))
	if err != nil {
		return nil, err
	}
	b, err := tmpl.Bind(env, nil, nil)
	if err != nil {
		return nil, err
	}
	all := map[string]any{}
	for _, r := range b.Order() {
		if all[r.ID], err = b.Properties(r.ID, attributes); err != nil {
			return nil, err
		}
	}
	outputs, err := b.Outputs(attributes)
	for _, out := range outputs {
		all["Outputs."+out.Key] = out.Value
	}
	return all, err
}

// same compares with what JSON says.
func same(t *testing.T, what string, got any, want string) {
	t.Helper()
	var v any
	dec := json.NewDecoder(strings.NewReader(want))
	dec.UseNumber()
	if err := dec.Decode(&v); err != nil {
		t.Fatalf("%v in %s", err, want)
	}
	if diff := gocmp.Diff(v, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func message(err error) string {
	if err == nil {
		return "ok"
	}
	if _, ok := errors.AsType[*Error](err); !ok {
		return "not an *Error: " + err.Error()
	}
	return err.Error()
}

const settings = `
Parameters:
  Text: {Type: String, Default: text}
  Empty: {Type: String, Default: ""}
  Size: {Type: Number, Default: 5}
  Words: {Type: CommaDelimitedList, Default: "one, two,three"}
  Numbers: {Type: List<Number>, Default: "1,2.5"}
Mappings:
  Regions:
    eu-west-1: {Name: Ireland, Zones: [a, b], Count: 3, Even: true}
Conditions:
  Is: !Equals [!Ref Text, text]
  Not: !Not [!Condition Is]
Resources:
  Other: {Type: T}
  R:
    Type: T
    Properties:
      P: `

// TestFunctions evaluates each function as a property, in YAML and, where JSON can say it,
// in JSON.
func TestFunctions(t *testing.T) {
	for _, tt := range []struct{ value, want string }{
		{`plain`, `"plain"`},
		{`[1, 2.50, true, "3", 2012-10-17]`, `[1, 2.50, true, "3", "2012-10-17"]`},
		{`{A: {B: []}, C: {}}`, `{"A": {"B": []}, "C": {}}`},

		{`!Ref Text`, `"text"`},
		{`{Ref: Size}`, `"5"`},
		{`!Ref Words`, `["one", "two", "three"]`},
		{`!Ref Numbers`, `["1", "2.5"]`},
		{`!Ref Other`, `"the-other"`},
		{`[!Ref AWS::Region, !Ref AWS::AccountId, !Ref AWS::Partition, !Ref AWS::URLSuffix, !Ref AWS::StackName]`, `["eu-west-1", "123456789012", "aws", "amazonaws.com", "events"]`},
		{`!Ref AWS::StackId`, `"arn:aws:cloudformation:eu-west-1:123456789012:stack/events/1"`},
		{`!Ref AWS::NotificationARNs`, `["arn:one", "arn:two"]`},
		{`[!Ref AWS::NoValue, 1, {A: !Ref AWS::NoValue, B: 2}]`, `[1, {"B": 2}]`},

		{`!GetAtt Other.Arn`, `"arn:aws:x:::other"`},
		{`!GetAtt [Other, Arn]`, `"arn:aws:x:::other"`},
		{`{"Fn::GetAtt": [Other, Arn]}`, `"arn:aws:x:::other"`},
		{`{"Fn::GetAtt": Other.Arn}`, `"arn:aws:x:::other"`},
		{`!GetAtt Other.Deep.Er`, `7`},
		{`!GetAtt Other.Names`, `["a", "b"]`},

		{`!Sub "${Text}-${Size}-${AWS::Region}"`, `"text-5-eu-west-1"`},
		{`!Sub "${Other}|${Other.Arn}|${Other.Deep.Er}"`, `"the-other|arn:aws:x:::other|7"`},
		{`!Sub "${!Text} $Text ${!} {Text} ${Text"`, `"${Text} $Text ${} {Text} ${Text"`},
		{`!Sub ["${A}/${Text}/${B_2}", {A: !GetAtt Other.Arn, B_2: 2, Text: mine}]`, `"arn:aws:x:::other/mine/2"`},
		{`{"Fn::Sub": "${Text}"}`, `"text"`},
		{`!Sub no variables`, `"no variables"`},
		{`!Sub 012`, `"012"`}, // a short form's scalar is text

		{`!If [Is, a, !Ref AWS::NoValue]`, `"a"`},
		{`{"Fn::If": [Not, a, {"Fn::If": [Is, [b], c]}]}`, `["b"]`},

		{`!Join ["", [a, 1, true, !Ref Text]]`, `"a1truetext"`},
		{`!Join [", ", !Ref Words]`, `"one, two, three"`},
		{`{"Fn::Join": ["-", [a, {Ref: "AWS::NoValue"}, b]]}`, `"a-b"`},
		{`!Join ["-", []]`, `""`},

		{`!Select [1, !Ref Words]`, `"two"`},
		{`!Select ["0", [!Ref Other, b]]`, `"the-other"`},
		{`!Select [!Select [0, ["1"]], !GetAtt Other.Names]`, `"b"`},
		{`{"Fn::Select": [0, [{A: 1}]]}`, `{"A": 1}`},

		{`!Split [",", "a,b,,c"]`, `["a", "b", "", "c"]`},
		{`!Select [5, !Split [":", !Ref AWS::StackId]]`, `"stack/events/1"`},

		{`!FindInMap [Regions, !Ref AWS::Region, Name]`, `"Ireland"`},
		{`!FindInMap [Regions, eu-west-1, Zones]`, `["a", "b"]`},
		{`[!FindInMap [Regions, eu-west-1, Count], !FindInMap [!Sub Regions, eu-west-1, Even]]`, `[3, true]`},

		{`{"Fn::Base64": !Sub "${Text}"}`, `"dGV4dA=="`},
		{`!Base64 ü`, `"w7w="`},

		// A policy's Condition is no function.
		{`{Condition: {Bool: {"aws:SecureTransport": false}}}`, `{"Condition": {"Bool": {"aws:SecureTransport": false}}}`},
		{`{Condition: Yes}`, `{"Condition": true}`},
	} {
		t.Run(tt.value, func(t *testing.T) {
			got, err := evaluate(settings + tt.value)
			if err != nil {
				t.Fatal(err)
			}
			r := got["R"].(map[string]any)
			same(t, "properties", r["P"], tt.want)
		})
	}
}

// TestNoValueOfAll has AWS::NoValue where a property, and all properties, would stand.
func TestNoValueOfAll(t *testing.T) {
	got, err := evaluate(settings + `!If [Not, 1, !Ref AWS::NoValue]
      Q: 1
  S:
    Type: T
    Properties: !If [Is, !Ref AWS::NoValue, {A: 1}]
  U: {Type: T, Properties: {"Fn::If": [Is, {A: 1}, {B: 1}]}}`)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "resources", got, `{"Other": {}, "R": {"Q": 1}, "S": {}, "U": {"A": 1}}`)
}

func TestConditions(t *testing.T) {
	const body = `
Parameters: {Arn: {Type: String}, Days: {Type: Number, Default: 0}}
Mappings: {M: {a: {b: x}}}
Conditions:
  Later: !And [!Condition HasArn, !Not [!Condition Never]]
  HasArn: !Not [!Equals [!Ref Arn, ""]]
  Never: !Equals [!Ref Days, 0]
  Any: !Or [!Condition HasArn, {"Fn::Equals": [!FindInMap [M, a, b], !Select [0, [x]]]}]
  Both: !And [{Condition: HasArn}, {Condition: Later}, !Equals [true, "true"]]
  Here: !Equals [!Sub "${AWS::Region}", eu-west-1]
Resources:
  R: {Type: T}`
	for _, tt := range []struct{ arn, days, want string }{
		{"", "0", "Any Here Never"},
		{"x", "0", "Any HasArn Here Never"},
		{"x", "1", "Any Both HasArn Here Later"},
	} {
		b := bind(t, body, "Arn="+tt.arn, "Days="+tt.days)
		var hold []string
		for _, name := range []string{"Any", "Both", "HasArn", "Here", "Later", "Never"} {
			if b.holds[name] {
				hold = append(hold, name)
			}
		}
		if got := strings.Join(hold, " "); got != tt.want {
			t.Errorf("Arn %q, Days %s: %s, want %s", tt.arn, tt.days, got, tt.want)
		}
	}
}

func TestPartitions(t *testing.T) {
	for region, want := range map[string]string{
		"eu-west-1": `{"P": "aws amazonaws.com"}`, "cn-north-1": `{"P": "aws-cn amazonaws.com.cn"}`, "us-gov-west-1": `{"P": "aws-us-gov amazonaws.com"}`,
	} {
		b, err := parse(t, settings+`!Sub "${AWS::Partition} ${AWS::URLSuffix}"`).Bind(Env{Region: region}, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		got, err := b.Properties("R", attributes)
		if err != nil {
			t.Fatal(err)
		}
		same(t, region, got, want)
	}
}

func TestEvaluationErrors(t *testing.T) {
	for _, tt := range []struct{ value, want string }{
		{`!GetAtt Other.Nothing`, "Resource type T does not support attribute {Nothing}"},
		{`!GetAtt [Other, !Ref Empty]`, "Template error: every Fn::GetAtt object requires two non-empty parameters"},
		{`!Sub "${Words}"`, "Template error: every variable in a Fn::Sub must be a string"},
		{`!Sub "${AWS::NoValue}"`, "Template error: every variable in a Fn::Sub must be a string"},
		{`!Sub ["${A}", {A: [1]}]`, "Template error: every variable in a Fn::Sub must be a string"},
		{`!Join [!Ref Words, [a]]`, "Template error: every Fn::Join object requires two parameters"},
		{`!Join [a, b]`, "Template error: every Fn::Join object requires two parameters"},
		{`!Join [a, [[b]]]`, "Template error: every Fn::Join object requires two parameters"},
		{`!Select [9, !Ref Words]`, "Template error: Fn::Select cannot select nonexistent value at index 9"},
		{`!Select [-1, !Ref Words]`, "Template error: Fn::Select cannot select nonexistent value at index -1"},
		{`!Select [bad, [test]]`, "Template error: Fn::Select requires a list argument with two elements: an integer index and a list"},
		{`!Select [0, 2]`, "Template error: Fn::Select requires a list argument with two elements: an integer index and a list"},
		{`!Split [",", [a]]`, "Template error: every Fn::Split object requires two parameters"},
		{`!Split ["", a]`, "Template error: every Fn::Split object requires two parameters"},
		{`!FindInMap [Regions, eu-west-1, Nothing]`, "Template error: Unable to get mapping for Regions::eu-west-1::Nothing"},
		{`!FindInMap [Regions, mars, Name]`, "Template error: Unable to get mapping for Regions::mars::Name"},
		{`!FindInMap [!Ref Text, a, b]`, "Template error: Mapping named 'text' is not present in the 'Mappings' section of template."},
		{`!FindInMap [Regions, [a], b]`, "Template error: every Fn::FindInMap object requires three parameters"},
		{`{"Fn::Base64": [a]}`, "Template error: every Fn::Base64 object must have a String-typed value."},
		{"a\nOutputs: {O: {Value: !Ref Words}}", "Template format error: The Value field of every Outputs member must evaluate to a String."},
		{"a\nOutputs: {O: {Value: !If [Not, a, !Ref AWS::NoValue]}}", "Template format error: The Value field of every Outputs member must evaluate to a String."},
		{"a\n  S: {Type: T, Properties: !Ref Text}", "Template format error: [/Resources/S] Every Properties member must be an object."},
	} {
		_, err := evaluate(settings + tt.value)
		if got := message(err); !strings.HasPrefix(got, tt.want) {
			t.Errorf("%s: %s\nwant %s", tt.value, got, tt.want)
		}
	}
	if _, err := bind(t, settings+"a").Properties("Nobody", attributes); message(err) != "The stack has no resource Nobody." {
		t.Errorf("a resource that is not there: %v", err)
	}
}

// TestBombs has values that would be very long come to an error, and no memory.
func TestBombs(t *testing.T) {
	long := strings.Repeat("x", 400_000)
	head := "Mappings: {M: {a: {b: " + long + ", c: [" + long + "]}}}\nResources:\n  R:\n    Type: T\n    Properties:\n      P: "
	find := `{"Fn::FindInMap": [M, a, b]}`
	many := "[" + strings.Repeat(find+",", 1000) + find + "]"
	for what, value := range map[string]string{
		"join":       `!Join ["", ` + many + `]`,
		"list":       many,
		"lists":      "[" + strings.Repeat("!FindInMap [M, a, c], ", 1000) + "a]",
		"delimiter":  `!Join [` + find + `, [` + strings.Repeat("a,", 90_000) + `a]]`,
		"sub":        `!Sub ["` + strings.Repeat("${A}", 1000) + `", {A: ` + find + `}]`,
		"split":      `!Split ["x", ` + find + `]`,
		"base64":     `!Join ["", [` + strings.Repeat(`!Base64 "`+strings.Repeat("y", 1000)+`", `, 10) + `!Join ["", ` + many + `]]]`,
		"two splits": `[!Split ["x", ` + find + `], !Split ["x", ` + find + `]]`,
	} {
		if _, err := evaluate(head + value); message(err) != "The values of a resource, or of the outputs, come to more than 4 MiB." {
			t.Errorf("%s: %.200s", what, message(err))
		}
	}
	// What is far too many is refused before it is made.
	if n := testing.AllocsPerRun(1, func() { _, _ = split(nil, []any{"x", long}) }); n > 10 {
		t.Errorf("a split into too many made %v allocations", n)
	}
}
