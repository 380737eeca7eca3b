package infra_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hydrant-go/hydrant/infra"
)

const yamlTemplate = `
Parameters:
  Name: {Type: String, Default: 012, MinLength: 2, MaxLength: 3}
  Size: {Type: Number, MinValue: 1, MaxValue: "2.5"}
  Zone: {Type: String, AllowedValues: [a, 1, true], ConstraintDescription: "as the map says"}
  Code: {Type: String, AllowedPattern: "[a-z]+|x-\\d", ConstraintDescription: must be a code}
  Java: {Type: String, AllowedPattern: "(?!no).*"}
  Image: {Type: "AWS::SSM::Parameter::Value<String>"}
Resources:
  B:
    Type: AWS::S3::Bucket
    Properties: {BucketName: !Sub "${Name}-b", Tags: !If [x, !Ref y, !GetAtt z.w]}
`

func TestCheckParameters(t *testing.T) {
	for _, tc := range []struct{ name, value, want string }{
		{"Name", "ab", ""},
		{"Name", "éßü", ""},
		{"Name", "a", `parameter Name is "a", it must have at least 2 characters`},
		{"Name", "abcd", "it must have at most 3 characters"},
		{"Size", "1", ""},
		{"Size", "2.5", ""},
		{"Size", "0.9", "it must be at least 1"},
		{"Size", "3", "it must be at most 2.5"},
		{"Size", "many", "it must be a number"},
		{"Size", "", "it must be a number"},
		{"Zone", "1", ""},
		{"Zone", "true", ""},
		{"Zone", "b", "it must be one of a, 1, true: as the map says"},
		{"Code", "abc", ""},
		{"Code", "x-1", ""},
		{"Code", "x-1x", `parameter Code is "x-1x", it must be a code`},
		{"Java", "no", ""}, // only CloudFormation can tell
		{"Image", "/any/thing", ""},
		{"name", "ab", "the template has no parameter name, but Code, Image, Java, Name, Size, Zone"},
	} {
		err := infra.CheckParameters(yamlTemplate, map[string]string{tc.name: tc.value})
		if (err == nil) != (tc.want == "") || err != nil && !strings.HasSuffix(err.Error(), tc.want) {
			t.Errorf("%s=%s: %v, want %q", tc.name, tc.value, err, tc.want)
		}
	}
	if err := infra.CheckParameters(yamlTemplate, map[string]string{"Size": "9", "Name": "x"}); err == nil || strings.Count(err.Error(), "it must") != 2 {
		t.Errorf("two problems: %v", err)
	}
}

func TestParameters(t *testing.T) {
	// What YAML does not have of JSON, and numbers that a float would spoil.
	list, err := infra.Parameters("{\t\"Parameters\": {\"A\": {\"Type\": \"Number\", \"Default\": 1000000, \"Description\": \"a\\/b \\ud83d\\ude00\"}}, \"Resources\": {\"B\": {\"Type\": \"x\"}}}")
	if err != nil {
		t.Fatal(err)
	}
	million := "1000000"
	if diff := cmp.Diff([]infra.Parameter{{Name: "A", Type: "Number", Default: &million, Description: "a/b 😀"}}, list); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for text, want := range map[string]string{
		"": "it has no Resources", "{": "read the template: yaml", "Parameters: {A: {MinValue: x}}": "invalid syntax", `{"Parameters": {}}`: "it has no Resources",
	} {
		if _, err := infra.Parameters(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// The embedded template is what the command's texts and the others' code say of it.
func TestTemplate(t *testing.T) {
	list, err := infra.Parameters(infra.Template())
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, p := range list {
		names = append(names, p.Name)
		if p.Default == nil {
			t.Errorf("parameter %s has no default", p.Name)
		} else if err := infra.CheckParameters(infra.Template(), map[string]string{p.Name: *p.Default}); err != nil {
			t.Errorf("its own default: %v", err)
		}
	}
	want := []string{"AlarmTopicArn", "BufferIntervalSeconds", "BufferSizeMiB", "ErrorPrefix", "KmsKeyArn", "LogRetentionDays", "ObjectExpirationDays", "Prefix", "StreamName"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("parameters (-want +got):\n%s", diff)
	}
	if n := len(infra.Template()); n > 51_200 {
		t.Errorf("the template has %d bytes, more than a call takes", n)
	}
	for _, output := range []string{infra.OutputStreamName, infra.OutputBucketName, infra.OutputLogGroupName} {
		if !strings.Contains(infra.Template(), `"`+output+`"`) {
			t.Errorf("the template has no output %s", output)
		}
	}
}
