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

const partitionsRule = `a JSON object of partition keys and their jq expressions, such as {"customer": ".customer_id"}, that make a query of at most 5,120 characters`

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
		r.fail("dynamicPartitioning", text, partitionsRule)
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

// parameter fixes p by the context value of its name.
func (r *contextReader) parameter(p *parameter) {
	value, ok := r.values[p.contextKey()]
	if !ok {
		return
	}
	p.fixed = true
	text := fmt.Sprint(value) // JSON's numbers are floats, and 300.0 prints as 300
	if _, isNumber := p.value.(int); !isNumber {
		_, isText := value.(string)
		if !isText || !regexp.MustCompile(p.pattern).MatchString(text) || len(text) < p.min || len(text) > p.max {
			r.fail(p.contextKey(), value, p.rule)
			return
		}
		p.value = text
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
	p.value = n
}

// together looks at values that depend on each other.
func (r *contextReader) together(c *choices) {
	text := func(name string) string {
		i := slices.IndexFunc(c.parameters, func(p parameter) bool { return p.name == name })
		return c.parameters[i].value.(string)
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
