package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// choices is what context values decide.
type choices struct {
	stackName     string
	partitions    map[string]string // a partition key to its jq expression; empty is no dynamic partitioning
	createKey     bool
	removeObjects bool
	parameters    []parameter
}

// parameter is a choice that is a plain value: a parameter of the template, whose
// default a context value of the same name sets (streamName that of StreamName).
type parameter struct {
	name, description string
	def               any    // a string, or an int where the parameter is a number
	pattern           string // of a string
	min, max          int    // of a number, or of a string's length
	allowed           []int  // of a number, instead of min and max
	rule              string // what the above ask for: "… must be rule"
}

func (p *parameter) contextKey() string { return strings.ToLower(p.name[:1]) + p.name[1:] }

// logRetentionDays are those that CloudWatch Logs knows (API model, PutRetentionPolicy).
var logRetentionDays = []int{1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653}

// newParameters has the bounds of the API model, and dynamic partitioning's own
// (developer guide, dynamic partitioning: at least 64 MiB and 60 s, and both prefixes).
func newParameters(partitions map[string]string) []parameter {
	size, interval, minPrefix, prefix := 1, 0, 0, "data/"
	if len(partitions) > 0 {
		size, interval, minPrefix = 64, 60, 1
	}
	for _, key := range slices.Sorted(maps.Keys(partitions)) {
		prefix += fmt.Sprintf("%s=!{partitionKeyFromQuery:%s}/", key, key)
	}
	return []parameter{
		{
			name: "StreamName", description: "Name of the delivery stream; empty: CloudFormation makes one. Another name replaces the stream, and what it has buffered is lost.",
			def: "", pattern: "^[a-zA-Z0-9_.-]*$", max: 64, rule: "at most 64 of a-z, A-Z, 0-9, _, . and -",
		},
		{
			name: "BufferSizeMiB", description: "An object is written when so much has come, counted before compression.",
			def: 64, min: size, max: 128, rule: fmt.Sprintf("a number from %d to 128", size),
		},
		{
			name: "BufferIntervalSeconds", description: "An object is written after so long at the latest.",
			def: 300, min: interval, max: 900, rule: fmt.Sprintf("a number from %d to 900", interval),
		},
		{
			name: "Prefix", description: "What objects' keys begin with, with expressions such as !{timestamp:yyyy/MM/dd/HH}.",
			def: prefix + "!{timestamp:yyyy/MM/dd/HH}/", min: minPrefix, max: 1024, rule: fmt.Sprintf("%d to 1,024 characters", minPrefix),
		},
		{
			name: "ErrorPrefix", description: "What keys of objects with failed records begin with; must have !{firehose:error-output-type} if it or Prefix has any expression.",
			def: "errors/!{firehose:error-output-type}/!{timestamp:yyyy/MM/dd/HH}/", min: minPrefix, max: 1024, rule: fmt.Sprintf("%d to 1,024 characters", minPrefix),
		},
		{
			name: "ObjectExpirationDays", description: "Objects are removed after so many days; 0: never.",
			def: 0, min: 0, max: 36500, rule: "a number from 0 (never) to 36500",
		},
		{
			name: "LogRetentionDays", description: "Logs of delivery errors are kept for so many days.",
			def: 30, allowed: logRetentionDays, rule: "one of " + strings.Trim(fmt.Sprint(logRetentionDays), "[]"),
		},
		{
			name: "KmsKeyArn", description: "KMS key that encrypts the stream's buffers and the bucket's objects; empty: S3's own encryption (AES256), and none of the stream. Its policy must let IAM policies of this account use it.",
			def: "", pattern: "^$|^arn:[^:]+:kms:[a-z0-9-]+:[0-9]{12}:key/.+$", max: 512, rule: "the ARN of a KMS key (arn:aws:kms:REGION:ACCOUNT:key/ID, no alias), or empty",
		},
		{
			name: "AlarmTopicArn", description: "SNS topic that alarms are sent to; empty: alarms only show in CloudWatch.",
			def: "", pattern: "^$|^arn:[^:]+:sns:[a-z0-9-]+:[0-9]{12}:.+$", max: 512, rule: "the ARN of an SNS topic (arn:aws:sns:REGION:ACCOUNT:NAME), or empty",
		},
	}
}

// contextReader collects what is wrong with context values.
type contextReader struct {
	values map[string]any
	errs   []error
}

func (r *contextReader) fail(key string, value any, rule string) {
	r.errs = append(r.errs, fmt.Errorf("context value %s is %q, it must be %s; set it by -c %s=VALUE, or under \"context\" in cdk.json", key, fmt.Sprint(value), rule, key))
}

// readContext reads all context values and tells of everything that is wrong with them.
// Keys that are not plain words are the CDK's own; another word is a slip, which
// would be ignored in silence.
func readContext(values map[string]any) (*choices, error) {
	r := &contextReader{values: values}
	c := &choices{
		stackName:     r.stackName(),
		partitions:    r.partitions(),
		createKey:     r.createKey(),
		removeObjects: r.flag("removeObjects"),
	}
	known := []string{"stackName", "dynamicPartitioning", "kms", "removeObjects"}
	for _, p := range newParameters(c.partitions) {
		known = append(known, p.contextKey())
		r.parameter(&p)
		c.parameters = append(c.parameters, p)
	}
	for key := range values {
		if regexp.MustCompile("^[a-zA-Z]+$").MatchString(key) && !slices.Contains(known, key) {
			r.errs = append(r.errs, fmt.Errorf("context value %s is not known; known are %s", key, strings.Join(known, ", ")))
		}
	}
	r.together(c)
	slices.SortFunc(r.errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return c, errors.Join(r.errs...)
}

func (r *contextReader) stackName() string {
	name, ok := r.values["stackName"]
	if !ok {
		return "hydrant"
	}
	if s, _ := name.(string); regexp.MustCompile("^[A-Za-z][A-Za-z0-9-]{0,99}$").MatchString(s) {
		return s
	}
	r.fail("stackName", name, "a letter and at most 99 letters, digits and dashes")
	return "hydrant"
}

func (r *contextReader) createKey() bool {
	switch kms := r.values["kms"]; kms {
	case nil, "":
		return false
	case "create":
		return true
	default:
		r.fail("kms", kms, `"create", or left out; a key that is there goes into kmsKeyArn`)
		return false
	}
}

func (r *contextReader) flag(key string) bool {
	switch v := r.values[key]; v {
	case nil, false, "false":
		return false
	case true, "true":
		return true
	default:
		r.fail(key, v, "true or false")
		return false
	}
}

// partitionKey is a name that a jq object takes without quotes.
var partitionKey = regexp.MustCompile("^[a-zA-Z_][a-zA-Z0-9_]*$")

// partitions reads dynamicPartitioning, which is an object in cdk.json, and the same
// as JSON text from the command line.
func (r *contextReader) partitions() map[string]string {
	value, ok := r.values["dynamicPartitioning"]
	if !ok || value == "" || value == false || value == "false" {
		return nil
	}
	text, isText := value.(string)
	if !isText {
		b, _ := json.Marshal(value)
		text = string(b)
	}
	var partitions map[string]string
	err := json.Unmarshal([]byte(text), &partitions)
	for key, expression := range partitions {
		if !partitionKey.MatchString(key) || strings.TrimSpace(expression) == "" {
			err = errors.New("a name is no word, or has no expression")
		}
	}
	if err != nil || len(partitions) == 0 || len(partitionQuery(partitions)) > 5120 {
		r.fail("dynamicPartitioning", text, `a JSON object of partition keys and their jq expressions of at most 5,120 characters, such as {"customer": ".customer_id"}`)
		return nil
	}
	return partitions
}

// partitionQuery is the jq query that gives all partition keys. An expression that is
// no plain path is put in parentheses: jq takes {a: .b} as it is, but not {a: .b + 1}.
func partitionQuery(partitions map[string]string) string {
	var members []string
	for _, key := range slices.Sorted(maps.Keys(partitions)) {
		expression := strings.TrimSpace(partitions[key])
		if !regexp.MustCompile(`^[.\w]+$`).MatchString(expression) {
			expression = "(" + expression + ")"
		}
		members = append(members, key+":"+expression)
	}
	return "{" + strings.Join(members, ",") + "}"
}

// parameter sets p's default to the context value of its name.
func (r *contextReader) parameter(p *parameter) {
	value, ok := r.values[p.contextKey()]
	if !ok {
		return
	}
	text := fmt.Sprint(value) // JSON's numbers are floats, and 300.0 prints as 300
	if _, isNumber := p.def.(int); !isNumber {
		_, isText := value.(string)
		if !isText || !regexp.MustCompile(p.pattern).MatchString(text) || len(text) < p.min || len(text) > p.max {
			r.fail(p.contextKey(), value, p.rule)
			return
		}
		p.def = text
		return
	}
	n, err := strconv.Atoi(text)
	within := p.min <= n && n <= p.max
	if p.allowed != nil {
		within = slices.Contains(p.allowed, n)
	}
	if err != nil || !within {
		r.fail(p.contextKey(), value, p.rule)
		return
	}
	p.def = n
}

// together looks at values that depend on each other.
func (r *contextReader) together(c *choices) {
	text := func(name string) string {
		i := slices.IndexFunc(c.parameters, func(p parameter) bool { return p.name == name })
		return c.parameters[i].def.(string)
	}
	if c.createKey && text("KmsKeyArn") != "" {
		r.errs = append(r.errs, errors.New("context values kms=create and kmsKeyArn are both set; leave out kmsKeyArn to have a new key, or kms to use the one that is there"))
	}
	prefix, errorPrefix := text("Prefix"), text("ErrorPrefix")
	if strings.Contains(prefix+errorPrefix, "!{") && !strings.Contains(errorPrefix, "!{firehose:error-output-type}") {
		r.fail("errorPrefix", errorPrefix, "a prefix with !{firehose:error-output-type}, as it or prefix has an expression")
	}
	for key := range c.partitions {
		if use := "!{partitionKeyFromQuery:" + key + "}"; !strings.Contains(prefix, use) {
			r.fail("prefix", prefix, "a prefix with "+use+", as dynamicPartitioning has that key")
		}
	}
	for _, m := range regexp.MustCompile(`!{partitionKeyFromQuery:([^}]*)}`).FindAllStringSubmatch(prefix, -1) {
		if _, ok := c.partitions[m[1]]; !ok {
			r.fail("prefix", prefix, "a prefix without "+m[0]+", as dynamicPartitioning has no such key")
		}
	}
}
