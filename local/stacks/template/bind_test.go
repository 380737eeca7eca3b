package template

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

// TestParameterDeclarations has what Parse refuses of Parameters.
func TestParameterDeclarations(t *testing.T) {
	for _, tt := range []struct{ parameter, want string }{
		{"[]", "Template format error: Any Parameters member must be an object."},
		{"{}", "Template format error: Every Parameters object must contain a Type member."},
		{"{Type: Strin}", "Template format error: Unrecognized parameter type: Strin"},
		{"{Type: 'AWS::SSM::Parameter::Value<String>', Default: /cdk-bootstrap/hnb659fds/version}", "The local Firehose does not support the parameter type AWS::SSM::Parameter::Value<String> at /Parameters/P: it has no SSM parameters."},
		{"{Type: 'AWS::EC2::KeyPair::KeyName'}", "The local Firehose does not support the parameter type AWS::EC2::KeyPair::KeyName at /Parameters/P."},
		{"{Type: 'List<AWS::EC2::Subnet::Id>'}", "The local Firehose does not support the parameter type List<AWS::EC2::Subnet::Id> at /Parameters/P."},
		{"{Type: 'List<String>'}", "The local Firehose does not support the parameter type List<String> at /Parameters/P."},
		{"{Type: String, Properties: {}}", "Invalid template parameter property 'Properties'"},                 // seen
		{"{Type: String, Default: {Ref: X}}", "Template format error: Every Default member must be a string."}, // seen
		{"{Type: String, Description: [x]}", "Template format error: [/Parameters/P] Every Description member must be a string."},
		{"{Type: String, NoEcho: maybe}", "Template format error: [/Parameters/P] NoEcho must be true or false."},
		{"{Type: String, NoEcho: [true]}", "Template format error: [/Parameters/P] NoEcho must be true or false."},
		{"{Type: String, AllowedValues: x}", "Template format error: Every AllowedValues member must be a list."},
		{"{Type: String, AllowedValues: [[x]]}", "Template format error: Every AllowedValues value must be a string."},
		{"{Type: String, MinLength: x}", "Template format error: [/Parameters/P] MinLength must be a number."},
		{"{Type: String, MaxLength: 1.5}", "Template format error: [/Parameters/P] MaxLength must be a number."},
		{"{Type: String, MaxLength: 99999999999}", "Template format error: [/Parameters/P] MaxLength must be a number."},
		{"{Type: String, MaxLength: -1}", "Template format error: [/Parameters/P] MaxLength must be a number."},
		{"{Type: Number, MaxValue: [1]}", "Template format error: [/Parameters/P] MaxValue must be a number."},
		{"{Type: Number, MinLength: 1}", "Template error: Parameter 'P' MinLength must be on a parameter of type String"},
		{"{Type: String, MinValue: 1}", "Template error: Parameter 'P' MinValue must be on a parameter of type Number"},
		{"{Type: Number, AllowedPattern: x}", "Template error: Parameter 'P' AllowedPattern must be on a parameter of type String"},
		{"{Type: String, AllowedPattern: '(?=x)'}", "The local Firehose does not support the regular expression (?=x) at /Parameters/P."},
	} {
		_, err := Parse([]byte("Parameters: {P: " + tt.parameter + "}" + one))
		if got := message(err); !strings.HasPrefix(got, tt.want) {
			t.Errorf("%s: %s\nwant %s", tt.parameter, got, tt.want)
		}
	}
	if _, err := Parse([]byte("Parameters: {P-1: {Type: String}}" + one)); message(err) != "Template format error: Parameter name P-1 is non alphanumeric." {
		t.Error(err)
	}
}

// TestConstraints has values that a parameter takes and such that it does not.
func TestConstraints(t *testing.T) {
	for _, tt := range []struct{ parameter, value, want string }{
		{"Type: String", "", "ok"},
		{"Type: String, AllowedValues: [a, 5, true]", "5", "ok"},
		{"Type: String, AllowedValues: [a, b]", "c", "Parameter 'P' must be one of AllowedValues"}, // seen
		{"Type: String, AllowedValues: []", "", "Parameter 'P' must be one of AllowedValues"},
		{"Type: String, MinLength: 2", "ü", "Parameter 'P' must contain at least 2 characters"},
		{"Type: String, MaxLength: 2", "üü", "ok"},
		{"Type: String, MaxLength: 2", "abc", "Parameter 'P' must contain at most 2 characters"},
		{"Type: String, AllowedPattern: 'a|b'", "b", "ok"},
		{"Type: String, AllowedPattern: 'a|b'", "ab", "Parameter 'P' must match pattern a|b"},
		{"Type: String, AllowedPattern: '^a$'", "a\n", "Parameter 'P' must match pattern ^a$"},
		{"Type: String, AllowedPattern: 'a%d'", "x", "Parameter 'P' must match pattern a%d"},
		{"Type: String, AllowedPattern: 'a', ConstraintDescription: must be 100% a.", "x", "Parameter P failed to satisfy constraint: must be 100% a."}, // seen
		{"Type: Number", "1.5", "ok"},
		{"Type: Number", "-1e3", "ok"},
		{"Type: Number", " 5", "ok"},
		{"Type: Number", "x", "Parameter 'P' must be a number."}, // seen
		{"Type: Number", "", "Parameter 'P' must be a number."},
		{"Type: Number", "NaN", "Parameter 'P' must be a number."},
		{"Type: Number", "1_000", "Parameter 'P' must be a number."},
		{"Type: Number", "0x10", "Parameter 'P' must be a number."},
		{"Type: Number, MinValue: 1, MaxValue: 128", "1", "ok"},
		{"Type: Number, MinValue: 1, MaxValue: 128", "128", "ok"},
		{"Type: Number, MinValue: 1, MaxValue: 128", "0", "Parameter 'P' must be a number not less than 1"},
		{"Type: Number, MinValue: 1, MaxValue: 128", "128.5", "Parameter 'P' must be a number not greater than 128"},
		{"Type: Number, AllowedValues: [1, 3, 5]", "3", "ok"},
		{"Type: Number, AllowedValues: [1, 3, 5]", "4", "Parameter 'P' must be one of AllowedValues"},
		{"Type: List<Number>", "1, 2.5,3", "ok"},
		{"Type: List<Number>", "1,,3", "Parameter 'P' must be a number."},
		{"Type: CommaDelimitedList", "a,,b", "ok"},
		{"Type: CommaDelimitedList, AllowedValues: [a, b]", "a, b", "ok"},
		{"Type: CommaDelimitedList, AllowedValues: [a, b]", "a,c", "Parameter 'P' must be one of AllowedValues"},
	} {
		_, err := parse(t, "Parameters: {P: {"+tt.parameter+"}}"+one).Bind(env, given("P="+tt.value), nil)
		if got := message(err); got != tt.want {
			t.Errorf("%s = %q: %s\nwant %s", tt.parameter, tt.value, got, tt.want)
		}
	}
}

// TestBindParameters has where a parameter's value is from.
func TestBindParameters(t *testing.T) {
	tmpl := parse(t, "Parameters: {A: {Type: String}, B: {Type: Number, Default: 5}, C: {Type: String, Default: c, NoEcho: true}}"+one)
	for _, tt := range []struct {
		what     string
		given    map[string]Given
		previous map[string]string
		want     string
	}{
		{"given and defaults", given("A=a", "C=x"), nil, "[{A a} {B 5} {C ****}] map[A:a B:5 C:x]"},
		{"an empty text is a value", given("A="), nil, "[{A } {B 5} {C ****}] map[A: B:5 C:c]"},
		{"previous, and a default over it", map[string]Given{"A": {UsePrevious: true}}, map[string]string{"A": "was", "B": "9", "Gone": "1"}, "[{A was} {B 5} {C ****}] map[A:was B:5 C:c]"},
		{"none", nil, map[string]string{"A": "was"}, "Parameters: [A] must have values"},                                                                                                                // seen
		{"unknown", given("Y=1", "X=1", "B=1"), nil, "Parameters: [X, Y] do not exist in the template"},                                                                                                 // seen
		{"no previous", map[string]Given{"A": {UsePrevious: true}}, nil, "Invalid input for parameter key A. Cannot specify usePreviousValue as true for a parameter key not in the previous template"}, // seen
		{"previous against a constraint of now", map[string]Given{"A": {Value: "a"}, "B": {UsePrevious: true}}, map[string]string{"B": "x"}, "Parameter 'B' must be a number."},
		{"a default against a constraint", given("A=a", "B=x"), nil, "Parameter 'B' must be a number."},
	} {
		b, err := tmpl.Bind(env, tt.given, tt.previous)
		got := message(err)
		if err == nil {
			got = fmt.Sprint(b.Parameters(), " ", b.Values())
		}
		if got != tt.want {
			t.Errorf("%s: %s\nwant %s", tt.what, got, tt.want)
		}
	}
	if _, err := parse(t, "Parameters: {A: {Type: String}, B: {Type: String}}"+one).Bind(env, nil, nil); message(err) != "Parameters: [A, B] must have values" {
		t.Error(err)
	}
}

// order tells the order of resources and what each needs: "A B(A)".
func order(b *Bound) string {
	var all []string
	for _, r := range b.Order() {
		s := r.ID
		if needs := b.Needs(r.ID); len(needs) > 0 {
			s += "(" + strings.Join(needs, ",") + ")"
		}
		all = append(all, s)
	}
	return strings.Join(all, " ")
}

const conditional = `
Parameters: {Is: {Type: String}}
Conditions: {C: !Equals [!Ref Is, "1"]}
Resources:
`

// TestOrder has who needs whom. Where there are two wants, the first is with the
// condition C, and the second without.
func TestOrder(t *testing.T) {
	for _, tt := range []struct{ what, resources, with, without string }{
		{"the template's order", "{B: {Type: T}, A: {Type: T}}", "B A", "B A"},
		{
			"every kind of reference",
			"{E: {Type: T, DependsOn: [D, A]}, D: {Type: T, Properties: {P: [!Sub '${C}', {Q: !Sub '${A.Arn}'}]}}, C: {Type: T, Properties: {P: !GetAtt B.Arn}}, B: {Type: T, Properties: {P: !Join ['', [!Ref A]]}}, A: {Type: T}}",
			"A B(A) C(B) D(A,C) E(A,D)", "A B(A) C(B) D(A,C) E(A,D)",
		},
		{"a Sub's own variable", "{A: {Type: T, Properties: {P: !Sub ['${B}', {B: !Ref D}]}}, B: {Type: T}, D: {Type: T}}", "D A(D) B", "D A(D) B"},
		{"a resource's condition", "{A: {Type: T, Condition: C}, B: {Type: T}}", "A B", "B"},
		{"a branch", "{A: {Type: T, Properties: {P: !If [C, !Ref B, !Ref D]}}, B: {Type: T, Condition: C}, D: {Type: T}}", "B A(B) D", "D A(D)"},
		{"DependsOn of what is not there", "{A: {Type: T, DependsOn: B}, B: {Type: T, Condition: C}}", "B A(B)", "A"},
		{
			"a reference to what is not there", "{A: {Type: T, Properties: {P: [!Ref B, !GetAtt B.Arn]}}, B: {Type: T, Condition: C}}",
			"B A(B)", "Template format error: Unresolved resource dependencies [B] in the Resources block of the template", // seen
		},
		{"one that is not there may refer", "{A: {Type: T, Condition: C, Properties: {P: !Ref B}}, B: {Type: T, Condition: C}}", "B A(B)", ""},
		{
			"a circle in a branch", "{A: {Type: T, Properties: {P: !If [C, !Ref B, x]}}, B: {Type: T, Properties: {P: !Ref A}}}",
			"Circular dependency between resources: [A, B]", "A B(A)",
		},
		{
			"outputs", "{A: {Type: T}, B: {Type: T, Condition: C}}\nOutputs: {O: {Value: !Ref A, Export: {Name: !Sub '${B}'}}, P: {Value: !Ref B, Condition: C}}",
			"A B", "Unresolved resource dependencies [B] in the Outputs block of the template", // seen
		},
	} {
		for is, want := range map[string]string{"1": tt.with, "0": tt.without} {
			b, err := parse(t, conditional+"  "+tt.resources).Bind(env, given("Is="+is), nil)
			got := message(err)
			if err == nil {
				got = order(b)
			}
			if got != want {
				t.Errorf("%s, Is=%s: %s\nwant %s", tt.what, is, got, want)
			}
		}
	}
}

// TestManyConditions has a chain of them, the last first, sorted in time.
func TestManyConditions(t *testing.T) {
	var b strings.Builder
	b.WriteString("Conditions:\n")
	const n = 20_000
	for i := range n {
		fmt.Fprintf(&b, "  C%d: !Not [!Condition C%d]\n", i, i+1)
	}
	fmt.Fprintf(&b, "  C%d: !Equals [a, a]\n", n)
	bound := bind(t, b.String()+one)
	if !bound.holds["C0"] || bound.holds["C1"] {
		t.Error("the conditions do not alternate")
	}
}

func TestOutputs(t *testing.T) {
	const outputs = `{A: {Type: T}}
Outputs:
  B: {Value: !Ref A, Description: the B, Export: {Name: !Sub "${AWS::StackName}-b"}}
  A: {Value: 5}
  C: {Value: !GetAtt A.Arn, Condition: C}`
	for is, want := range map[string][]OutputValue{
		"1": {{Key: "B", Value: "the-a", Description: "the B", Export: "events-b"}, {Key: "A", Value: "5"}, {Key: "C", Value: "arn:aws:x:::a"}},
		"0": {{Key: "B", Value: "the-a", Description: "the B", Export: "events-b"}, {Key: "A", Value: "5"}},
	} {
		got, err := bind(t, conditional+"  "+outputs, "Is="+is).Outputs(attributes)
		if err != nil {
			t.Fatal(err)
		}
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Errorf("Is=%s (-want +got):\n%s", is, diff)
		}
	}
}

// TestDiff compares two templates. Resources of the type "N" are made anew when their
// property Name changes.
func TestDiff(t *testing.T) {
	anew := func(c Change) bool { return c.Resource.Type == "N" && slices.Contains(c.Properties, "Name") }
	for _, tt := range []struct{ what, before, after, want string }{
		{"nothing", "{A: {Type: T, Properties: {P: 5, Q: [true]}}}", `{A: {Type: T, Properties: {Q: ["true"], P: "5"}}}`, ""},
		{"no stack before", "", "{B: {Type: T, Properties: {P: !GetAtt A.Arn}}, A: {Type: T}}", "Add A; Add B"},
		{"added and removed", "{A: {Type: T}, B: {Type: T, DependsOn: A}}", "{C: {Type: T}}", "Add C; Remove B; Remove A"},
		{"properties", "{A: {Type: T, Properties: {P: 1, Q: 1, R: 1}}}", "{A: {Type: T, Properties: {P: 2, Q: 1, S: 1}}}", "Modify A Properties [P R S]"},
		{
			"the rest", "{A: {Type: T, Metadata: {a: 1}}}", "{A: {Type: T, Metadata: {a: 2}, DeletionPolicy: Retain, UpdateReplacePolicy: Delete, DependsOn: B}, B: {Type: T}}",
			"Add B; Modify A Metadata,DeletionPolicy,UpdateReplacePolicy []",
		},
		{"DependsOn alone changes nothing", "{A: {Type: T}, B: {Type: T}}", "{A: {Type: T, DependsOn: B}, B: {Type: T}}", ""},
		{"a reference to what is added", "{A: {Type: T, Properties: {P: the-b}}}", "{A: {Type: T, Properties: {P: !Ref B}}, B: {Type: T}}", "Add B; Modify A Properties [P]"},
		{"a reference instead of what it gives", "{A: {Type: T, Properties: {P: the-b}}, B: {Type: T}}", "{A: {Type: T, Properties: {P: !Ref B}}, B: {Type: T}}", ""},
		{
			"what is replaced, and what refers to it",
			"{A: {Type: N, Properties: {Name: a}}, B: {Type: N, Properties: {Name: !Sub '${A}-b'}}, C: {Type: T, Properties: {P: !GetAtt B.Arn}}, D: {Type: T, Properties: {P: !Ref A}}}",
			"{A: {Type: N, Properties: {Name: b}}, B: {Type: N, Properties: {Name: !Sub '${A}-b'}}, C: {Type: T, Properties: {P: !GetAtt B.Arn}}, D: {Type: T, Properties: {P: [!Ref A]}}}",
			"Replace A Properties [Name]; Replace B Properties [Name]; Modify C Properties [P]; Modify D Properties [P]",
		},
		{"modified in place, what refers to it is not", "{A: {Type: N, Properties: {P: 1}}, B: {Type: T, Properties: {P: !Ref A}}}", "{A: {Type: N, Properties: {P: 2}}, B: {Type: T, Properties: {P: !Ref A}}}", "Modify A Properties [P]"},
		{
			"another type", "{A: {Type: T}, B: {Type: T}, C: {Type: T}}", "{A: {Type: N}, B: {Type: T}, C: {Type: N}}",
			"Update of resource type is not permitted. The new template modifies resource type of the following resources: [A, C]", // seen
		},
		{"an error of now", "{A: {Type: T}}", "{A: {Type: T, Properties: {P: !Select [1, [a]]}}}", "Template error: Fn::Select cannot select nonexistent value at index 1"},
	} {
		var before *Bound
		if tt.before != "" {
			before = bind(t, "Resources: "+tt.before)
		}
		changes, err := Diff(before, bind(t, "Resources: "+tt.after), attributes, anew)
		got := ""
		if err != nil {
			got = message(err)
		}
		for i, c := range changes {
			if i > 0 {
				got += "; "
			}
			action := c.Action
			if c.Replaced {
				action = "Replace"
			}
			got += action + " " + c.Resource.ID
			if c.Action == "Modify" {
				got += fmt.Sprint(" ", strings.Join(c.Scope, ","), " ", c.Properties)
			}
		}
		if got != tt.want {
			t.Errorf("%s: %s\nwant %s", tt.what, got, tt.want)
		}
	}
}

// TestDiffByCondition has a resource come and go with a parameter, and the resources of a
// change be those of its own template.
func TestDiffByCondition(t *testing.T) {
	body := conditional + "  {A: {Type: T, Condition: C, Properties: {P: 1}}, B: {Type: T}}"
	without, with := bind(t, body, "Is=0"), bind(t, body, "Is=1")
	for _, tt := range []struct {
		before, after *Bound
		want          Change
	}{
		{without, with, Change{Action: "Add", Resource: with.Template().Resource("A")}},
		{with, without, Change{Action: "Remove", Resource: with.Template().Resource("A")}},
	} {
		changes, err := Diff(tt.before, tt.after, attributes, nil)
		if err != nil || len(changes) != 1 || changes[0].Action != tt.want.Action || changes[0].Resource != tt.want.Resource {
			t.Errorf("%v, %v, want %v", changes, err, tt.want)
		}
	}
}

// TestKnownAfterApply has functions of what is not known yet.
func TestKnownAfterApply(t *testing.T) {
	for _, tt := range []struct{ value, want string }{
		{"!Ref Other", KnownAfterApply},
		{"!Join ['-', [a, !Ref Other]]", KnownAfterApply}, // seen
		{"!Join ['-', !GetAtt Other.Names]", KnownAfterApply},
		{"!Join [!Ref Other, [a]]", KnownAfterApply},
		{"!Select [1, !GetAtt Other.Names]", KnownAfterApply}, // seen
		{"!Select [!Ref Other, [a]]", KnownAfterApply},
		{"!Select [0, [a, !Ref Other]]", "a"},
		{"!Select [5, !Split [':', !GetAtt Other.Arn]]", KnownAfterApply}, // seen
		{"!Join ['', !Split [!Ref Other, a]]", KnownAfterApply},
		{"!Sub 'arn:${Other}/x'", "arn:" + KnownAfterApply + "/x"}, // seen
		{"!Base64 {'Fn::Sub': '${Other}'}", KnownAfterApply},
	} {
		got, err := bind(t, settings+strings.Replace(tt.value, "!Base64", "!Join ['', [a]]\n      Q: !Base64", 1)).Properties("R", func(string, string) (any, bool) { return KnownAfterApply, true })
		if err != nil {
			t.Errorf("%s: %v", tt.value, err)
			continue
		}
		v := got["P"]
		if got["Q"] != nil {
			v = got["Q"]
		}
		if v != tt.want {
			t.Errorf("%s: %v, want %s", tt.value, v, tt.want)
		}
	}
}
