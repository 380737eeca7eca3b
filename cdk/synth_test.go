package main

import (
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"
)

var update = flag.Bool("update", false, "write infra/template.json")

func TestMain(m *testing.M) {
	if os.Getenv("CDK_OUTDIR") != "" { // as the CDK CLI calls it
		main()
		return
	}
	flag.Parse()
	code := m.Run()
	jsii.Close()
	os.Exit(code)
}

// variants is context values that give templates of each structure.
var variants = map[string]map[string]any{
	"default":     {},
	"partitioned": {"dynamicPartitioning": `{"customer": ".customer_id", "day": ".at | split(\"T\")[0]"}`},
	"key":         {"kms": "create"},
	"emptying":    {"removeObjects": true},
	"all":         {"dynamicPartitioning": `{"customer": ".customer_id"}`, "kms": "create", "removeObjects": "true", "stackName": "other"},
	"fixed": {
		"streamName": "0", "bufferSizeMiB": 7.0, "bufferIntervalSeconds": "9", "prefix": "", "errorPrefix": "", "objectExpirationDays": "5", "logRetentionDays": 7,
		"kmsKeyArn": "arn:aws:kms:eu-west-1:123456789012:key/k", "alarmTopicArn": "arn:aws:sns:eu-west-1:123456789012:t",
	},
}

var (
	synthMu     sync.Mutex // guards synthesised and the one node process of jsii
	synthesised = map[string][]byte{}
)

// synthesise is a variant's template, which is made once.
func synthesise(t *testing.T, variant string) []byte {
	t.Helper()
	synthMu.Lock()
	defer synthMu.Unlock()
	if synthesised[variant] == nil {
		synthesised[variant] = synthesiseAgain(t, variants[variant])
	}
	return synthesised[variant]
}

func synthesiseAgain(t *testing.T, context map[string]any) []byte {
	t.Helper()
	if _, err := exec.LookPath("node"); err != nil {
		t.Skipf("SKIPPED, nothing is synthesised: %v (the CDK runs on Node.js: install it from https://nodejs.org)", err)
	}
	folder := t.TempDir()
	if err := synth(&awscdk.AppProps{Context: &context, Outdir: &folder}); err != nil {
		t.Fatal(err)
	}
	templates, _ := filepath.Glob(filepath.Join(folder, "*.template.json"))
	if len(templates) != 1 {
		t.Fatalf("%d templates", len(templates))
	}
	b, err := os.ReadFile(templates[0])
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// template is what of a template the tests look at.
type template struct {
	AWSTemplateFormatVersion, Description string

	Parameters map[string]map[string]any
	Conditions map[string]any
	Resources  map[string]*resource
	Outputs    map[string]struct{ Value any }
	Rules      map[string]any
}

type resource struct {
	Type                                           string
	Condition, DeletionPolicy, UpdateReplacePolicy string
	DependsOn                                      []string
	Properties                                     map[string]any
}

func parse(t *testing.T, b []byte) *template {
	t.Helper()
	var tmpl template
	if err := json.Unmarshal(b, &tmpl); err != nil {
		t.Fatal(err)
	}
	return &tmpl
}

// eachVariant runs a test on the templates of all variants.
func eachVariant(t *testing.T, test func(t *testing.T, tmpl *template)) {
	for name := range variants {
		t.Run(name, func(t *testing.T) { test(t, parse(t, synthesise(t, name))) })
	}
}

// ofType is the resources of a type by name.
func (tmpl *template) ofType(kind string) map[string]*resource {
	found := map[string]*resource{}
	for name, r := range tmpl.Resources {
		if r.Type == kind {
			found[name] = r
		}
	}
	return found
}

// at is what is in v along a path of members and elements, or nil.
func at(v any, path ...any) any {
	for _, step := range path {
		switch in := v.(type) {
		case map[string]any:
			name, _ := step.(string)
			v = in[name]
		case []any:
			i, ok := step.(int)
			if !ok || i >= len(in) {
				return nil
			}
			v = in[i]
		default:
			return nil
		}
	}
	return v
}

// text is v as JSON.
func text(v any) string {
	b, _ := json.Marshal(v)
	return string(b)
}
