package template

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

const one = "\nResources: {R: {Type: T}}"

// TestTemplateErrors has all that Parse refuses. Seen stands beside texts that
// CloudFormation itself was recorded to give; others are Eucalyptus's, or ours.
func TestTemplateErrors(t *testing.T) {
	property := func(v string) string {
		return "Conditions: {C: !Equals [a, a]}\nResources: {R: {Type: T, Properties: {P: " + v + "}}}"
	}
	for _, tt := range []struct{ body, want string }{
		// The form.
		{"", "Template format error: unsupported structure."},
		{"# nothing", "Template format error: unsupported structure."},
		{"text", "Template format error: unsupported structure."}, // seen
		{"[a]", "Template format error: unsupported structure."},
		{"a: 1\n---\nb: 2", "Template format error: unsupported structure."},
		{"{[a]: b}", "Template format error: JSON not well-formed. (line 1, column 2)"},
		{`{"this is not valid": "x`, "Template format error: JSON not well-formed. (line 1, column 25)"}, // seen, of a text like this
		{"{\n  \"a\": 1,\n}", "Template format error: JSON not well-formed. (line 3, column 1)"},
		{`{"a": 1} x`, "Template format error: JSON not well-formed. (line 1, column 10)"},
		{"? [a]\n: b", "Template format error: unsupported structure."},
		{"a: [", "Template format error: YAML not well-formed. (line 1: did not find expected node content)"},
		{"a: &x 1\nb: *x", "Template error: YAML aliases are not allowed in CloudFormation templates"}, // seen
		{"a: {<<: {b: 1}}", "Template format error: [/a] CloudFormation has no YAML merge keys (<<)."},
		{"a: !!binary aGk=", "Template format error: [/a] unsupported YAML tag !!binary"},
		{"a: !!set {b}", "Template format error: [/a] unsupported YAML tag !!set"},
		{"a: !!int x", "Template format error: [/a] unsupported YAML tag !!int"},
		{"a: 1\na: 2", `Template format error: [] The key "a" stands twice. Remove one.`},
		{`{"Resources": {"R": {"a": 1, "a": 2}}}`, `Template format error: [/Resources/R] The key "a" stands twice. Remove one.`},
		{"Resources: {R: {Type: ~}}", "[/Resources/R/Type] 'null' values are not allowed in templates"},                          // seen
		{`{"Resources": {"R": {"Type": "T", "P": [1, null]}}}`, "[/Resources/R/P/1] 'null' values are not allowed in templates"}, // seen
		{"Parameters:" + one, "[/Parameters] 'null' values are not allowed in templates"},
		{strings.Repeat("[", 200), "Template format error: YAML not well-formed."},
		{strings.Repeat(`{"a":`, 101) + "1" + strings.Repeat("}", 101), "Template format error: [" + strings.Repeat("/a", 100) + "] The template is nested deeper than 100."},
		{strings.Repeat("[", 101) + strings.Repeat("]", 101), "Template format error: [" + strings.Repeat("/0", 100) + "] The template is nested deeper than 100."},
		{"a: " + strings.Repeat("!Not [", 60) + strings.Repeat("]", 60), "Template format error: [/a" + strings.Repeat("/Fn::Not/0", 49) + "] The template is nested deeper than 100."},
		{strings.Repeat(" ", MaxBody+1), "The template has 1000001 bytes; the most is 1000000."},

		// Sections.
		{"Rubbish: 1\nStuff: 2" + one, "Invalid template property or properties [Rubbish, Stuff]"}, // seen
		{"Transform: AWS::Serverless-2016-10-31" + one, "The local Firehose does not support a template's section Transform."},
		{"Rules: {}" + one, "The local Firehose does not support a template's section Rules."},
		{"Hooks: {}" + one, "The local Firehose does not support a template's section Hooks."},
		{"AWSTemplateFormatVersion: 2019-09-09" + one, "Template format error: 2019-09-09 is not a supported value for AWSTemplateFormatVersion."}, // seen
		{"Description: " + strings.Repeat("x", 1025) + one, "Template format error: 'Description' length is greater than 1024."},
		{"Description: [a]" + one, "Template format error: [] Every Description member must be a string."},
		{"Parameters: []" + one, "Template format error: Parameters must be an object."},

		{strings.Replace(manyResources(201), "Resources", "Parameters", 1), "The template has 201 parameters; the most is 200."},
		{strings.Replace(manyResources(201), "Resources", "Mappings", 1), "The template has 201 mappings; the most is 200."},
		{strings.Replace(manyResources(201), "Resources", "Outputs", 1) + one, "The template has 201 outputs; the most is 200."},
		{`{"` + strings.Repeat("x", 10_000) + `": 1}`, "Invalid template property or properties [" + strings.Repeat("x", maxMessage-41) + " …"},

		// Mappings.
		{"Mappings: {A: x}" + one, "Template format error: Every Mappings member A must be a map"},                              // seen
		{"Mappings: {A: {b: x}}" + one, "Template format error: Every Mappings member A must be a map"},                         // seen
		{"Mappings: {A: {b: {c: {}}}}" + one, "Template format error: Every Mappings attribute must be a String or a List."},    // seen
		{"Mappings: {A: {b: {c: [[x]]}}}" + one, "Template format error: Every Mappings attribute must be a String or a List."}, // seen
		{"Mappings: {A: {b: {c: [{}]}}}" + one, "Template format error: Every Mappings attribute must be a String or a List."},  // seen

		// Conditions.
		{"Conditions: {a-b: !Equals [a, b]}" + one, "Template format error: Condition name a-b is non alphanumeric."},
		{"Conditions: {C: yes}" + one, "Template format error: [/Conditions/C] Conditions can only be boolean operations on parameters and other conditions"},
		{"Conditions: {C: {A: 1, B: 2}}" + one, "Template format error: [/Conditions/C] Conditions can only be boolean operations on parameters and other conditions"},
		{"Conditions: {C: !Join [a, [b]]}" + one, "Template format error: [/Conditions/C/Fn::Join] Conditions can only be boolean operations on parameters and other conditions"},
		{"Conditions: {C: !Cidr [a, b, c]}" + one, "The local Firehose does not support the function Fn::Cidr at /Conditions/C/Fn::Cidr."},
		{"Conditions: {C: !Condition D}" + one, "Template format error: Unresolved condition dependency D in the Conditions block of the template"},
		{"Conditions: {C: {Condition: [D]}}" + one, "Template error: All Conditions must be of type string"},
		{"Conditions: {C: !Not [!Condition D], D: !Not [!Condition C]}" + one, "Template error: Found circular condition dependency: [C, D]"},
		{"Conditions: {C: !Equals [!Ref R, a], D: !Equals [!Ref X, !GetAtt Y.Z], E: !Equals [!Sub '${V}', !Sub '${W.X}']}" + one, "Template format error: Unresolved dependencies [R, X, Y, V, W]. Cannot reference resources in the Conditions block of the template"}, // seen
		{"Conditions: {C: !Equals [a]}" + one, "Template error: every Fn::Equals object requires a list of 2 string parameters."},                                                                                                                                       // seen
		{"Conditions: {C: !Equals a}" + one, "Template error: every Fn::Equals object requires a list of 2 string parameters."},
		{"Conditions: {C: !Not []}" + one, "Template error: Fn::Not requires a list argument with one element"},
		{"Conditions: {C: !Not [a]}" + one, "Template format error: [/Conditions/C/Fn::Not/0] Conditions can only be boolean operations"},
		{"Conditions: {C: !And [!Equals [a, a]]}" + one, "Template error: every Fn::And object requires a list of at least 2 and at most 10 boolean parameters."},
		{"Conditions: {C: !Or [" + strings.Repeat("!Equals [a, a], ", 11) + "]}" + one, "Template error: every Fn::Or object requires a list of at least 2 and at most 10 boolean parameters."},
		{"Conditions: {C: !Equals [!If [C, a, b], a]}" + one, "The local Firehose does not support the function Fn::If in Conditions at /Conditions/C/Fn::Equals/0/Fn::If."},

		// Resources.
		{"Description: x", "Template format error: At least one Resources member must be defined."}, // seen
		{"Resources: {}", "Template format error: At least one Resources member must be defined."},  // seen
		{"Resources: []", "Template format error: Resources must be an object."},
		{"Resources: {R: []}", "Template format error: Any Resources member must be an object."},                                         // seen
		{"Resources: {my-res: {Type: T}}", "Template format error: Resource name my-res is non alphanumeric."},                           // seen
		{"Resources: {R: {Properties: {}}}", "Template format error: [/Resources/R] Every Resources object must contain a Type member."}, // seen
		{"Resources: {R: {Type: T, Invalid: 10}}", "Invalid template resource property 'Invalid'"},                                       // seen
		{"Resources: {R: {Type: T, CreationPolicy: {}}}", "The local Firehose does not support the attribute CreationPolicy at /Resources/R."},
		{"Resources: {R: {Type: T, UpdatePolicy: {}}}", "The local Firehose does not support the attribute UpdatePolicy at /Resources/R."},
		{"Resources: {R: {Type: T, Properties: [a]}}", "Template format error: [/Resources/R] Every Properties member must be an object."},
		{"Resources: {R: {Type: T, Condition: C}}", "Template format error: Unresolved condition dependency C in the Resources block of the template"},
		{"Resources: {R: {Type: T, DeletionPolicy: Keep}}", "Template format error: Unrecognized DeletionPolicy Keep for resource R"},
		{"Resources: {R: {Type: T, UpdateReplacePolicy: RetainExceptOnCreate}}", "Template format error: Unrecognized UpdateReplacePolicy RetainExceptOnCreate for resource R"},
		{"Resources: {R: {Type: T, DependsOn: {a: b}}}", "Template format error: DependsOn must be a string or list of strings."},
		{"Resources: {R: {Type: T, DependsOn: [1]}}", "Template format error: DependsOn must be a string or list of strings."},
		{"Resources: {R: {Type: T, DependsOn: X}}", "Template format error: Unresolved resource dependencies [X] in the Resources block of the template"}, // seen
		{"Parameters: {R: {Type: String}}" + one, "Template error: all resources and parameters must have unique names. Common name(s):[R]"},
		{manyResources(501), "Template format error: Number of resources, 501, is greater than maximum allowed, 500"}, // seen

		// References.
		{property("[!Ref X, !Ref Y, !Ref X, !Sub '${Z} ${AWS::Nothing}']"), "Template format error: Unresolved resource dependencies [X, Y, Z, AWS::Nothing] in the Resources block of the template"}, // seen
		{property("!If [C, a, !Ref X]"), "Template format error: Unresolved resource dependencies [X] in the Resources block of the template"},
		{property("!GetAtt X.Arn"), "Template error: instance of Fn::GetAtt references undefined resource X"}, // seen
		{property("!Sub '${X.Arn}'"), "Template error: instance of Fn::Sub references invalid resource attribute X.Arn"},
		{property("!Sub '${R.}'"), "Template error: instance of Fn::Sub references invalid resource attribute R."},
		{property("!Ref R"), "Circular dependency between resources: [R]"},
		{"Resources: {A: {Type: T, DependsOn: B}, B: {Type: T, Properties: {P: !GetAtt C.Arn}}, C: {Type: T, Properties: {P: !Sub '${B}'}}}", "Circular dependency between resources: [B, C]"}, // seen
		{property("!FindInMap [M, a, b]"), "Template error: Mapping named 'M' is not present in the 'Mappings' section of template."},                                                          // seen

		// Functions.
		{property("!GetAtt R"), "Template error: every Fn::GetAtt object requires two non-empty parameters, the resource name and the resource attribute"}, // seen
		{property("!GetAtt .Arn"), badGetAtt},
		{property("!GetAtt [R, '']"), badGetAtt},
		{property("!GetAtt [R, A, B]"), badGetAtt},
		{property("!GetAtt [[R], A]"), badGetAtt},
		{property("!GetAtt [R, !Sub x]"), badGetAtt},
		{property("!GetAtt {}"), badGetAtt},
		{property("!GetAtt [R, [a]]"), badGetAtt},
		{property("{Ref: [R]}"), "Template error: All References must be of type string"},
		{property("!If [C, a]"), "Template error: Fn::If requires a list argument with three elements"},
		{property("!If C"), "Template error: Fn::If requires a list argument with the first element being a condition"},
		{property("!If [[C], a, b]"), "Template error: Fn::If requires a list argument with the first element being a condition"},
		{property("!If [D, a, b]"), "Template error: unresolved condition dependency D in Fn::If"}, // seen
		{property("!Sub [a]"), badSub},
		{property("!Sub [a, b]"), badSub},
		{property("!Sub [[a], {b: c}]"), badSub},
		{property("!Sub {a: b}"), badSub},
		{property("!Sub [a, !Ref R]"), badSub},
		{property("!Sub '${A:-b}'"), "Template error: variable names in Fn::Sub syntax must contain only alphanumeric characters, underscores, periods, and colons"}, // seen
		{property("!Sub '${}'"), "Template error: variable names in Fn::Sub syntax must contain only alphanumeric characters, underscores, periods, and colons"},
		{property("!Sub ['a', {a-b: c}]"), "Template error: every key of the context object of every Fn::Sub object must contain only alphanumeric characters and underscores"},
		{property("!Join [a]"), badJoin},
		{property("!Join a"), badJoin},       // seen
		{property("!Split [a]"), badSplit},   // seen
		{property("!Select [0]"), badSelect}, // seen
		{property("!FindInMap [a, b]"), badFindInMap},
		{property("!FindInMap [C, a, b, {DefaultValue: c}]"), badFindInMap},
		{property("{A: 1, 'Fn::Sub': b}"), "Template format error: [/Resources/R/Properties/P] The function Fn::Sub stands beside other members."},
		{property("{A: 1, Ref: b}"), "Template format error: [/Resources/R/Properties/P] The function Ref stands beside other members."},
		{property("!Equals [a, b]"), "The local Firehose does not support the function Fn::Equals outside of Conditions at /Resources/R/Properties/P/Fn::Equals."},
		{property("{'fn::getAtt': [R, Arn]}"), "Template Error: Encountered unsupported function: fn::getAtt Supported functions are: [Fn::Base64, Fn::GetAtt,"}, // seen, with AWS's list
		{property("!Foo a"), "Template Error: Encountered unsupported function: Fn::Foo Supported functions are: ["},
		{property("!ImportValue a"), "The local Firehose does not support the function Fn::ImportValue at /Resources/R/Properties/P/Fn::ImportValue."},
		{property("!GetAZs ''"), "The local Firehose does not support the function Fn::GetAZs at"},
		{property("!Cidr [a, 1, 2]"), "The local Firehose does not support the function Fn::Cidr at"},
		{property("!Transform {Name: AWS::Include}"), "The local Firehose does not support the function Fn::Transform at"},
		{property("{'Fn::ForEach::Loop': [a, [b], {}]}"), "The local Firehose does not support the function Fn::ForEach at"},
		{property("!ToJsonString {a: b}"), "The local Firehose does not support the function Fn::ToJsonString at"},
		{property("!Length [a]"), "The local Firehose does not support the function Fn::Length at"},

		// Outputs.
		{"Outputs: {O: []}" + one, "Template format error: Any Outputs member must be an object."},
		{"Outputs: {a-b: {Value: x}}" + one, "Template format error: Output name a-b is non alphanumeric."},
		{"Outputs: {O: {}}" + one, "Template format error: Every Outputs member must contain a Value object"}, // seen
		{"Outputs: {O: {Value: x, Invalid: 1}}" + one, "Invalid template output property 'Invalid'"},
		{"Outputs: {O: {Value: x, Condition: C}}" + one, "Template format error: Unresolved condition dependency C in the Outputs block of the template"},
		{"Outputs: {O: {Value: {a: b}}}" + one, "Template format error: The Value field of every Outputs member must evaluate to a String and not a Map."}, // seen
		{"Outputs: {O: {Value: [a]}}" + one, "Template format error: The Value field of every Outputs member must evaluate to a String and not a List."},   // seen
		{"Outputs: {O: {Value: !Ref X}}" + one, "Unresolved resource dependencies [X] in the Outputs block of the template"},                               // seen
		{"Outputs: {O: {Value: x, Export: y}}" + one, "Template format error: [/Outputs/O/Export] Every Export member must be an object with a Name."},
	} {
		_, err := Parse([]byte(tt.body))
		if got := message(err); !strings.HasPrefix(got, tt.want) {
			t.Errorf("%.300s\n%.600s\nwant %.600s", tt.body, got, tt.want)
		}
	}
}

func manyResources(n int) string {
	var b strings.Builder
	b.WriteString("Resources:\n")
	for i := range n {
		fmt.Fprintf(&b, "  R%d: {Type: T}\n", i)
	}
	return b.String()
}

// TestScalars has how YAML's plain scalars are read.
func TestScalars(t *testing.T) {
	for _, tt := range []struct{ yaml, want string }{
		{"2012-10-17", `"2012-10-17"`},
		{"2012-10-17T00:00:00Z", `"2012-10-17T00:00:00Z"`},
		{"5", "5"},
		{"-5", "-5"},
		{"+5", "5"},
		{"0", "0"},
		{"1_000", "1000"},
		{"012", "10"},
		{"0x1F", "31"},
		{"-0x1f", "-31"},
		{"0b101", "5"},
		{"089", "89"},
		{"0o17", `"0o17"`},
		{"123456789012345678901234567890", "123456789012345678901234567890"},
		{"1.50", "1.50"},
		{".5", "0.5"},
		{"5.", "5"},
		{"1e3", "1e3"},
		{"-1.5E+3", "-1.5E+3"},
		{"1_0.5", "10.5"},
		{".inf", `".inf"`},
		{".nan", `".nan"`},
		{"12:30:45", `"12:30:45"`},
		{"1.2.3", `"1.2.3"`},

		{"+", `"+"`},
		{".", `"."`},
		{"0x", `"0x"`},
		{"089e99999", `"089e99999"`},
		{"089e9999", `"089e9999"`},
		{strings.Repeat("1", 101), `"` + strings.Repeat("1", 101) + `"`},
		{"true", "true"},
		{"False", "false"},
		{"yes", "true"},
		{"OFF", "false"},
		{"y", `"y"`},
		{"n", `"n"`},
		{"tRUE", `"tRUE"`},
		{`"5"`, `"5"`},
		{"'true'", `"true"`},
		{`"null"`, `"null"`},
		{"''", `""`},
		{"nullify", `"nullify"`},
		{"!!str 5", `"5"`},
		{"!!int 5", "5"},
		{"!!float 5", "5"},
		{"!!bool yes", "true"},
		{"!!str", `""`},
		{"!!map {a: 1}", `{"a": 1}`},
		{"!!seq [1]", "[1]"},
		{"{5: a, true: b, 2012-10-17: c, ~: d, !!str 6: e}", `{"5": "a", "true": "b", "2012-10-17": "c", "~": "d", "6": "e"}`},
		{"|\n        a\n        b", `"a\nb"`},
		{">-\n        a\n        b", `"a b"`},
		{"&anchor a", `"a"`},
	} {
		got, err := evaluate("Resources:\n  R:\n    Type: T\n    Properties:\n      P: " + tt.yaml)
		if err != nil {
			t.Errorf("%s: %v", tt.yaml, err)
			continue
		}
		same(t, tt.yaml, got["R"].(map[string]any)["P"], tt.want)
	}
}

// TestJSON has what only the reader of JSON sees.
func TestJSON(t *testing.T) {
	got, err := evaluate("\ufeff\n\t{\"Resources\": {\"R\": {\"Type\": \"T\", \"Properties\":\t{\"P\": [\"\\ud83d\\ude00\\/\", 1.50, 1e3, 12345678901234567890, true, \"2012-10-17\", \"yes\", {\"Fn::GetAtt\": \"S.Arn\"}]}}, \"S\": {\"Type\": \"T\"}}}")
	if err != nil {
		t.Fatal(err)
	}
	same(t, "properties", got["R"], `{"P": ["😀/", 1.50, 1e3, 12345678901234567890, true, "2012-10-17", "yes", "arn:aws:x:::s"]}`)
}

func TestTemplateFields(t *testing.T) {
	const body = `
AWSTemplateFormatVersion: 2010-09-09
Description: what it is
Metadata: {AWS::CloudFormation::Interface: {ParameterGroups: [1]}}
Parameters:
  B: {Type: String, NoEcho: "true", MinLength: "1", MaxLength: 9, AllowedPattern: "[a-z]+", ConstraintDescription: c, Description: d, AllowedValues: [a, 5, yes]}
  A: {Type: Number, Default: 1.50, MinValue: -1, MaxValue: "2.5"}
Conditions: {C: !Equals [a, b]}
Resources:
  Z: {Type: T1, Condition: C, DeletionPolicy: RetainExceptOnCreate, UpdateReplacePolicy: Snapshot, DependsOn: A1, Description: why}
  A1: {Type: T2, DependsOn: [M], Metadata: {aws:cdk:path: x/y, F: !Sub "${Nobody}"}}
  M: {Type: T3, Properties: {}}
Outputs:
  Y: {Value: 5, Description: five}
  X: {Value: !Ref M, Condition: C, Export: {Name: !Sub "${AWS::StackName}-X"}}`
	tmpl := parse(t, body)
	type shown struct {
		Body, Version, Description string
		Metadata                   any
		Parameters                 []Parameter
		Resources                  []*Resource
		Outputs                    []Output
	}
	got := shown{tmpl.Body, tmpl.Version, tmpl.Description, tmpl.Metadata, tmpl.Parameters, tmpl.Resources, tmpl.Outputs}
	want := shown{
		body, "2010-09-09", "what it is",
		map[string]any{"AWS::CloudFormation::Interface": map[string]any{"ParameterGroups": []any{json.Number("1")}}},
		[]Parameter{
			{Name: "B", Type: "String", NoEcho: true, MinLength: new(1), MaxLength: new(9), AllowedPattern: "[a-z]+", ConstraintDescription: "c", Description: "d", AllowedValues: []string{"a", "5", "true"}},
			{Name: "A", Type: "Number", Default: new("1.50"), MinValue: new(-1.0), MaxValue: new(2.5)},
		},
		[]*Resource{
			{ID: "Z", Type: "T1", Condition: "C", DeletionPolicy: "RetainExceptOnCreate", UpdateReplacePolicy: "Snapshot", DependsOn: []string{"A1"}},
			{ID: "A1", Type: "T2", DependsOn: []string{"M"}, Metadata: map[string]any{"aws:cdk:path": "x/y", "F": map[string]any{"Fn::Sub": "${Nobody}"}}},
			{ID: "M", Type: "T3"},
		},
		[]Output{{Key: "Y", Description: "five"}, {Key: "X", Condition: "C"}},
	}
	unexported := gocmp.FilterPath(func(p gocmp.Path) bool {
		f, ok := p.Last().(gocmp.StructField)
		return ok && slices.Contains([]string{"pattern", "properties", "value", "export"}, f.Name())
	}, gocmp.Ignore())
	if diff := gocmp.Diff(want, got, unexported); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if tmpl.Resource("M") != tmpl.Resources[2] || tmpl.Resource("Nobody") != nil {
		t.Error("Resource does not find by ID")
	}
}

func TestCapabilities(t *testing.T) {
	for _, tt := range []struct{ resources, want string }{
		{"A: {Type: AWS::S3::Bucket, Properties: {BucketName: b}}", "[] "},
		{"A: {Type: AWS::IAM::Role, Properties: {Path: /}}", "[CAPABILITY_IAM] The following resource(s) require capabilities: [AWS::IAM::Role]"},
		{"A: {Type: AWS::IAM::Policy, Properties: {PolicyName: p}}", "[CAPABILITY_IAM] The following resource(s) require capabilities: [AWS::IAM::Policy]"},
		{"A: {Type: AWS::IAM::Role}\n  B: {Type: AWS::IAM::ManagedPolicy, Properties: {ManagedPolicyName: !Sub x}}\n  C: {Type: AWS::IAM::Role}", "[CAPABILITY_NAMED_IAM] The following resource(s) require capabilities: [AWS::IAM::Role, AWS::IAM::ManagedPolicy]"},
	} {
		names, reason := parse(t, "Resources:\n  "+tt.resources).Capabilities()
		if got := fmt.Sprint(names, " ", reason); got != tt.want {
			t.Errorf("%s: %s\nwant %s", tt.resources, got, tt.want)
		}
	}
}

// asJSON writes a template in YAML, with long forms only, as JSON.
func asJSON(t *testing.T, body []byte) []byte {
	t.Helper()
	root, err := read(body)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	writeJSON(t, &b, root)
	return b.Bytes()
}

// writeJSON keeps the order of keys.
func writeJSON(t *testing.T, b *bytes.Buffer, v any) {
	switch v := v.(type) {
	case *object:
		b.WriteByte('{')
		for i, key := range v.keys {
			if i > 0 {
				b.WriteByte(',')
			}
			writeJSON(t, b, key)
			b.WriteByte(':')
			writeJSON(t, b, v.of[key])
		}
		b.WriteByte('}')
	case []any:
		b.WriteByte('[')
		for i, item := range v {
			if i > 0 {
				b.WriteByte(',')
			}
			writeJSON(t, b, item)
		}
		b.WriteByte(']')
	default:
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		b.Write(text)
	}
}

// asYAML writes a template in JSON as YAML in block style, as the CDK's command does.
func asYAML(t *testing.T, body []byte) []byte {
	t.Helper()
	var n yaml.Node
	if err := yaml.Unmarshal(body, &n); err != nil {
		t.Fatal(err)
	}
	var plainStyle func(*yaml.Node)
	plainStyle = func(n *yaml.Node) {
		n.Style = 0
		for _, c := range n.Content {
			plainStyle(c)
		}
	}
	plainStyle(&n)
	out, err := yaml.Marshal(&n)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
