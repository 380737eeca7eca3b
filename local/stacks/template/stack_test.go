package template

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

func readFile(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// whole is all that a bound template gives.
func whole(t *testing.T, body []byte, parameters ...string) any {
	t.Helper()
	b := bind(t, string(body), parameters...)
	properties := map[string]any{}
	for _, r := range b.Order() {
		v, err := b.Properties(r.ID, attributes)
		if err != nil {
			t.Fatal(err)
		}
		properties[r.ID] = v
	}
	outputs, err := b.Outputs(attributes)
	if err != nil {
		t.Fatal(err)
	}
	capabilities, reason := b.Template().Capabilities()
	text, err := json.Marshal(map[string]any{
		"Order": strings.Split(order(b), " "), "Properties": properties, "Outputs": outputs, "Parameters": b.Parameters(),
		"Capabilities": capabilities, "CapabilitiesReason": reason,
	})
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// TestStack evaluates a template as the CDK makes one: as a person's YAML, as JSON, and as
// the YAML that the CDK's command sends. All are the same.
func TestStack(t *testing.T) {
	body := readFile(t, "stack.yaml")
	long := asJSON(t, body)
	forms := map[string][]byte{"YAML": body, "JSON": long, "YAML of JSON": asYAML(t, long)}
	if !strings.HasPrefix(string(forms["YAML of JSON"]), "AWSTemplateFormatVersion: ") {
		t.Fatalf("not block style: %.100s", forms["YAML of JSON"])
	}
	for want, parameters := range map[string][]string{
		"stack.defaults.json": nil,
		"stack.full.json": {
			"StreamName=clicks", "ObjectExpirationDays=30", "LogRetentionDays=7", "ExternalId=x",
			"KmsKeyArn=arn:aws:kms:eu-west-1:123456789012:key/k", "AlarmTopicArn=arn:aws:sns:eu-west-1:123456789012:pager",
		},
	} {
		var v any
		if err := json.Unmarshal(readFile(t, want), &v); err != nil {
			t.Fatal(err)
		}
		for form, body := range forms {
			if diff := gocmp.Diff(v, whole(t, body, parameters...)); diff != "" {
				t.Errorf("%s, %s (-want +got):\n%s", want, form, diff)
			}
		}
	}
}

// TestStackUpdates has the changes that an update of a parameter makes.
func TestStackUpdates(t *testing.T) {
	tmpl := parse(t, string(readFile(t, "stack.yaml")))
	before, err := tmpl.Bind(env, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ parameter, want string }{
		{"BufferSizeMiB=64", ""},
		{"BufferSizeMiB=5", "Modify Stream790BDEE4"},
		{"LogRetentionDays=7", "Modify Logs6819BB44"},
		{"ExternalId=y", "Modify RoleF51B5D56"},
		// The stream's name changes, so it is another stream, and so are its name and ARN.
		{"StreamName=s", "Modify Stream790BDEE4; Modify Producer3B0E5BD7; Modify FreshnessAlarm7C8A9C0B; Modify Dashboard9E4231ED"},
	} {
		after, err := tmpl.Bind(env, given(tt.parameter), before.Values())
		if err != nil {
			t.Fatal(err)
		}
		changes, err := Diff(before, after, attributes, func(c Change) bool { return c.Properties[0] == "DeliveryStreamName" })
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, c := range changes {
			got = append(got, c.Action+" "+c.Resource.ID)
		}
		if strings.Join(got, "; ") != tt.want {
			t.Errorf("%s: %s\nwant %s", tt.parameter, strings.Join(got, "; "), tt.want)
		}
	}
}
