package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func (c *choices) value(name string) any {
	for _, p := range c.parameters {
		if p.name == name {
			return p.value
		}
	}
	return nil
}

func TestContext(t *testing.T) {
	for name, test := range map[string]struct {
		context map[string]any
		want    string
		look    func(*choices) any
	}{
		"no stack name":   {nil, "hydrant", func(c *choices) any { return c.stackName }},
		"a stack name":    {map[string]any{"stackName": "Team-1"}, "Team-1", func(c *choices) any { return c.stackName }},
		"a number":        {map[string]any{"bufferSizeMiB": 128.0}, "128", func(c *choices) any { return c.value("BufferSizeMiB") }},
		"a number's text": {map[string]any{"bufferSizeMiB": "1"}, "1", func(c *choices) any { return c.value("BufferSizeMiB") }},
		"zero":            {map[string]any{"bufferIntervalSeconds": "0"}, "0", func(c *choices) any { return c.value("BufferIntervalSeconds") }},
		"a key":           {map[string]any{"kms": "create"}, "true", func(c *choices) any { return c.createKey }},
		"no key":          {map[string]any{"kms": ""}, "false", func(c *choices) any { return c.createKey }},
		"emptying":        {map[string]any{"removeObjects": true}, "true", func(c *choices) any { return c.removeObjects }},
		"emptying, text":  {map[string]any{"removeObjects": "true"}, "true", func(c *choices) any { return c.removeObjects }},
		"no emptying":     {map[string]any{"removeObjects": "false"}, "false", func(c *choices) any { return c.removeObjects }},
		"the CDK's own":   {map[string]any{"aws:cdk:enable-path-metadata": true, "@aws-cdk/core:x": true, "cli-telemetry": false}, "map[]", func(c *choices) any { return c.partitions }},
		"partitions": {
			map[string]any{"dynamicPartitioning": map[string]any{"b": " .b.c ", "a": ".a // 0"}},
			"{a:(.a // 0),b:.b.c}",
			func(c *choices) any { return partitionQuery(c.partitions) },
		},
		"partitions off": {map[string]any{"dynamicPartitioning": "false"}, "map[]", func(c *choices) any { return c.partitions }},
		"partitions' own prefix": {
			map[string]any{"dynamicPartitioning": `{"a": ".a"}`, "prefix": "!{partitionKeyFromQuery:a}/"},
			"!{partitionKeyFromQuery:a}/",
			func(c *choices) any { return c.value("Prefix") },
		},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := readContext(test.context)
			if err != nil {
				t.Fatal(err)
			}
			if got := fmt.Sprint(test.look(c)); got != test.want {
				t.Errorf("%v gives %s, want %s", test.context, got, test.want)
			}
		})
	}
}

// TestBadContext has what is wrong with a value, and what to do.
func TestBadContext(t *testing.T) {
	const how = `; set it by -c %[1]s=VALUE, or under "context" in cdk.json`
	for _, test := range []struct {
		context map[string]any
		key     string // %[1]s
		want    string
	}{
		{map[string]any{"bufferSizeMiB": "0"}, "bufferSizeMiB", `context value %[1]s is "0", it must be a number from 1 to 128` + how},
		{map[string]any{"bufferSizeMiB": 1.5}, "bufferSizeMiB", `context value %[1]s is "1.5", it must be a number from 1 to 128` + how},
		{map[string]any{"bufferIntervalSeconds": "1m"}, "bufferIntervalSeconds", `context value %[1]s is "1m", it must be a number from 0 to 900` + how},
		{map[string]any{"bufferIntervalSeconds": ""}, "bufferIntervalSeconds", `context value %[1]s is "", it must be a number from 0 to 900` + how},
		{map[string]any{"objectExpirationDays": "-1"}, "objectExpirationDays", `context value %[1]s is "-1", it must be a number from 0 (never) to 36500` + how},
		{map[string]any{"logRetentionDays": 31.0}, "logRetentionDays", `context value %[1]s is "31", it must be one of ` + list(logRetentionDays) + how},
		{map[string]any{"streamName": "a b"}, "streamName", `context value %[1]s is "a b", it must be at most 64 of a-z, A-Z, 0-9, _, . and -` + how},
		{map[string]any{"streamName": strings.Repeat("n", 65)}, "streamName", `context value %[1]s is "` + strings.Repeat("n", 65) + `", it must be at most 64 of a-z, A-Z, 0-9, _, . and -` + how},
		{map[string]any{"streamName": true}, "streamName", `context value %[1]s is "true", it must be at most 64 of a-z, A-Z, 0-9, _, . and -` + how},
		{map[string]any{"kmsKeyArn": "alias/x"}, "kmsKeyArn", `context value %[1]s is "alias/x", it must be the ARN of a KMS key (arn:aws:kms:REGION:ACCOUNT:key/ID, no alias), or empty` + how},
		{map[string]any{"alarmTopicArn": "t"}, "alarmTopicArn", `context value %[1]s is "t", it must be the ARN of an SNS topic (arn:aws:sns:REGION:ACCOUNT:NAME), or empty` + how},
		{map[string]any{"prefix": strings.Repeat("p", 1025)}, "prefix", `context value %[1]s is "` + strings.Repeat("p", 1025) + `", it must be 0 to 1,024 characters` + how},
		{map[string]any{"errorPrefix": ""}, "errorPrefix", `context value %[1]s is "", it must be a prefix with !{firehose:error-output-type}, as it or prefix has an expression` + how},
		{map[string]any{"prefix": "!{partitionKeyFromQuery:a}/"}, "prefix", `context value %[1]s is "!{partitionKeyFromQuery:a}/", it must be a prefix without !{partitionKeyFromQuery:a}, as dynamicPartitioning has no such key` + how},
		{map[string]any{"stackName": "1"}, "stackName", `context value %[1]s is "1", it must be a letter and at most 99 letters, digits and dashes` + how},
		{map[string]any{"kms": "new"}, "kms", `context value %[1]s is "new", it must be "create", or left out; a key that is there goes into kmsKeyArn` + how},
		{map[string]any{"removeObjects": "yes"}, "removeObjects", `context value %[1]s is "yes", it must be true or false` + how},
		{map[string]any{"dynamicPartitioning": "{a: .a}"}, "dynamicPartitioning", `context value %[1]s is "{a: .a}", it must be ` + partitionsRule + how},
		{map[string]any{"dynamicPartitioning": "{}"}, "dynamicPartitioning", `context value %[1]s is "{}", it must be ` + partitionsRule + how},
		{map[string]any{"dynamicPartitioning": map[string]any{"a": 1.0}}, "dynamicPartitioning", `context value %[1]s is "{\"a\":1}", it must be ` + partitionsRule + how},
		{map[string]any{"dynamicPartitioning": `{"a-b": ".a"}`}, "dynamicPartitioning", `context value %[1]s is "{\"a-b\": \".a\"}", it must be ` + partitionsRule + how},
		{map[string]any{"dynamicPartitioning": `{"a": " "}`}, "dynamicPartitioning", `context value %[1]s is "{\"a\": \" \"}", it must be ` + partitionsRule + how},
		{map[string]any{"dynamicPartitioning": `{"a": ".a"}`, "bufferSizeMiB": "63"}, "bufferSizeMiB", `context value %[1]s is "63", it must be a number from 64 to 128` + how},
		{map[string]any{"dynamicPartitioning": `{"a": ".a"}`, "bufferIntervalSeconds": "59"}, "bufferIntervalSeconds", `context value %[1]s is "59", it must be a number from 60 to 900` + how},
		{map[string]any{"dynamicPartitioning": `{"a": ".a"}`, "prefix": "p/"}, "prefix", `context value %[1]s is "p/", it must be a prefix with !{partitionKeyFromQuery:a}, as dynamicPartitioning has that key` + how},
		{map[string]any{"kms": "create", "kmsKeyArn": "arn:aws:kms:eu-west-1:123456789012:key/k"}, "", `context values kms=create and kmsKeyArn are both set; leave out kmsKeyArn to have a new key, or kms to use the one that is there`},
		{map[string]any{"bufferSizeMib": "5"}, "", `context value bufferSizeMib is not known; known are stackName, dynamicPartitioning, kms, removeObjects, streamName, bufferSizeMiB, bufferIntervalSeconds, prefix, errorPrefix, objectExpirationDays, logRetentionDays, kmsKeyArn, alarmTopicArn`},
	} {
		want := test.want
		if test.key != "" {
			want = strings.ReplaceAll(want, "%[1]s", test.key)
		}
		_, err := readContext(test.context)
		if err == nil || err.Error() != want {
			t.Errorf("%v\n got %v\nwant %s", test.context, err, want)
		}
	}
}

// TestAllThatIsWrong has every bad value told of at once.
func TestAllThatIsWrong(t *testing.T) {
	_, err := readContext(map[string]any{"kms": 1, "removeObjects": 1, "bufferSizeMiB": "x", "colour": "blue"})
	if lines := strings.Split(fmt.Sprint(err), "\n"); len(lines) != 4 {
		t.Errorf("%d lines:\n%v", len(lines), err)
	}
}

// TestMainContext has context values as the CDK CLI hands them over: JSON's own values, for
// those of cdk.json.
func TestMainContext(t *testing.T) {
	if _, err := exec.LookPath("node"); err != nil {
		t.Skipf("SKIPPED, nothing is synthesised: %v", err)
	}
	folder := t.TempDir()
	run := func(context string) (string, error) {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "CDK_OUTDIR="+folder, "CDK_CONTEXT_JSON="+context, "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION=1")
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if out, err := run(`{"dynamicPartitioning": {"customer": ".customer_id"}, "kms": "create", "removeObjects": true, "stackName": "other"}`); err != nil {
		t.Fatal(err, out)
	}
	got, err := os.ReadFile(filepath.Join(folder, "other.template.json"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(synthesise(t, "all")), string(got)); diff != "" {
		t.Error(diff)
	}
	out, err := run(`{"bufferSizeMiB": 129}`)
	const want = `context value bufferSizeMiB is "129", it must be a number from 1 to 128; set it by -c bufferSizeMiB=VALUE, or under "context" in cdk.json` + "\n"
	if err == nil || !strings.HasSuffix(out, want) || strings.Contains(out, "goroutine") { // after the CDK's warnings of old versions of Node.js
		t.Errorf("%v\n got %s\nwant %s", err, out, want)
	}
}

// TestReadme has each context value, its parameter and its default in the README.
func TestReadme(t *testing.T) {
	b, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range newParameters(nil) {
		value := fmt.Sprintf("`%v`", p.value)
		if p.value == "" {
			value = "empty"
		}
		if row := fmt.Sprintf("| `%s` | `%s` | %s |", p.contextKey(), p.name, value); !strings.Contains(string(b), row) {
			t.Errorf("README.md has no %s", row)
		}
	}
	for _, key := range []string{"stackName", "dynamicPartitioning", "kms", "removeObjects"} {
		if !strings.Contains(string(b), "| `"+key+"` |") {
			t.Errorf("README.md has no %s", key)
		}
	}
}
