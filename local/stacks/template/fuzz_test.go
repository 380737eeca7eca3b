package template

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// FuzzParse reads anything, and evaluates what is a template: with parameters that are
// missing given, with each condition as it comes, and with nothing known. Nothing
// panics, all errors are an *Error, and what was evaluated encodes as JSON.
func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range files {
		body, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body, "x")
	}
	for _, body := range []string{
		settings + "!If [Is, !Sub '${Other.Arn}', !Join [',', !Split [',', !Ref Text]]]",
		settings + "!Base64 {Fn::Select: [0, !FindInMap [Regions, eu-west-1, Zones]]}",
		conditional + "  {A: {Type: T, DependsOn: B, Properties: {P: !If [C, !Ref B, !Ref AWS::NoValue]}}, B: {Type: T, Condition: C}}\nOutputs: {O: {Value: !GetAtt [A, Arn], Export: {Name: x}}}",
		`{"Parameters":{"P":{"Type":"List<Number>","MinValue":1,"AllowedValues":[1]}},"Resources":{"R":{"Type":"T","Properties":{"Fn::If":["C",{"a":[1,true,"x"]},{"Ref":"AWS::NoValue"}]}}},"Conditions":{"C":{"Fn::Not":[{"Fn::Or":[{"Fn::Equals":["a",{"Ref":"P"}]},{"Condition":"D"}]}]},"D":{"Fn::Equals":[1,"1"]}}}`,
		"a: &x [*x, *x]", "a: !!int 0x1f", "? {a: b}\n: !Sub", "{{{{", "%YAML 1.1\n---\nResources: {R: {Type: T, Properties: {<<: {}}}}",
	} {
		f.Add([]byte(body), "1")
	}
	f.Fuzz(func(t *testing.T, body []byte, value string) {
		tmpl, err := Parse(body)
		if err != nil {
			ours(t, err)
			return
		}
		tmpl.Capabilities()
		values := map[string]Given{}
		for _, p := range tmpl.Parameters {
			if p.Default == nil {
				values[p.Name] = Given{Value: value}
			}
		}
		b, err := tmpl.Bind(env, values, nil)
		if err != nil {
			ours(t, err)
			return
		}
		for _, lookup := range []Lookup{attributes, func(string, string) (any, bool) { return KnownAfterApply, true }} {
			evaluateAll(t, b, lookup)
		}
		if changes, err := Diff(b, b, attributes, nil); err != nil {
			ours(t, err)
		} else if len(changes) > 0 {
			t.Errorf("%v differs from itself", changes)
		}
		if long, err := json.Marshal(plain(mustRead(t, body))); err != nil {
			t.Error(err)
		} else if again, err := Parse(long); err == nil && len(again.Resources) != len(tmpl.Resources) {
			t.Errorf("as JSON it has %d resources, not %d", len(again.Resources), len(tmpl.Resources))
		} else if err != nil && !bytes.Contains(long, []byte(`\ufffd`)) && len(long) <= MaxBody {
			t.Errorf("as JSON: %v\n%s", err, long)
		}
	})
}

func mustRead(t *testing.T, body []byte) *object {
	t.Helper()
	root, err := read(body)
	if err != nil {
		t.Fatal(err)
	}
	return root
}

func evaluateAll(t *testing.T, b *Bound, lookup Lookup) {
	for i, r := range b.Order() {
		for _, id := range b.Needs(r.ID) {
			if b.t.byID[id] == r || i == 0 {
				t.Errorf("%s needs %s before it is there", r.ID, id)
			}
		}
		v, err := b.Properties(r.ID, lookup)
		if err != nil {
			ours(t, err)
		} else if _, err := json.Marshal(v); err != nil {
			t.Error(err)
		}
	}
	if _, err := b.Outputs(lookup); err != nil {
		ours(t, err)
	}
}

func ours(t *testing.T, err error) {
	t.Helper()
	if _, ok := err.(*Error); !ok {
		t.Errorf("not an *Error: %T %v", err, err)
	}
}
