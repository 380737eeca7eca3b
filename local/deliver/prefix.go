package deliver

import (
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// maxEvaluatedPrefix is in characters (developer guide, prefixes).
const maxEvaluatedPrefix = 512

// Prefix is a parsed Prefix or ErrorOutputPrefix: text in which each
// !{namespace:value} stands for something that is known when an object is made
// (developer guide, prefixes). The zero value is the empty prefix. A Prefix does
// not change; it may be used from many goroutines.
//
//	!{timestamp:PATTERN}              the time, as Java's DateTimeFormatter has it
//	!{firehose:random-string}         11 characters, other ones in each place
//	!{firehose:error-output-type}     what failed, in an ErrorOutputPrefix
//	!{partitionKeyFromQuery:NAME}     a key that a JQ query found in the record
//	!{partitionKeyFromLambda:NAME}    a key that a Lambda function gave the record
type Prefix struct {
	member string
	text   string
	parts  []expression
}

type expressionKind int

const (
	plain expressionKind = iota
	timestamp
	randomString
	errorOutputType
	keyFromQuery
	keyFromLambda
)

// expression is a part of a prefix: also the text between two expressions.
type expression struct {
	kind expressionKind
	text string   // what is plain, or a partition key's name
	time dateTime // of a timestamp
}

// refusal is an error in AWS's words, capitals and full stops included.
type refusal string

func (r refusal) Error() string { return string(r) }

// broken words a constraint that prefixes break. AWS was seen to put this in front
// of all of them but those about dynamic partitioning (September 2026, by the
// project cdk-preflight, which quotes AWS's answer beside each of its rules; up to
// 2020 AWS wrote "Ths supplied").
func broken(format string, args ...any) error {
	return refusal("The supplied prefix(es) do not satisfy the following constraint: " + fmt.Sprintf(format, args...))
}

// ParsePrefix parses text, the value of the API's member Prefix or
// ErrorOutputPrefix. An error's text is what AWS was seen to answer, with the
// member's name where that has it; what it refuses depends on nothing but the
// text: see [CheckPrefixes] for the rest. Of an expression that has no form AWS
// was seen to quote the prefix for one that is not closed (my!{prefix/).
//
// An expression ends at the first }, so a pattern cannot have one, even in
// quotes; what AWS makes of that is UNVERIFIED.
func ParsePrefix(member, text string) (*Prefix, error) {
	p := &Prefix{member: member, text: text}
	for rest := text; rest != ""; {
		before, after, found := strings.Cut(rest, "!{")
		if before != "" {
			p.parts = append(p.parts, expression{text: before})
		}
		if !found {
			break
		}
		inner, after, closed := strings.Cut(after, "}")
		namespace, value, hasColon := strings.Cut(inner, ":")
		if !closed || !hasColon || namespace == "" || strings.Contains(inner, "!{") {
			return nil, broken("Invalid expression usage: %s.Must be of the form !{<namespace>:<value>}", text)
		}
		e, err := parseExpression(member, namespace, value)
		if err != nil {
			return nil, err
		}
		p.parts, rest = append(p.parts, e), after
	}
	return p, nil
}

func parseExpression(member, namespace, value string) (expression, error) {
	switch namespace {
	case "timestamp":
		f, ok := parseDateTime(value)
		if !ok {
			return expression{}, badValue(member)
		}
		return expression{kind: timestamp, time: f}, nil
	case "firehose":
		switch value {
		case "random-string":
			return expression{kind: randomString}, nil
		case "error-output-type":
			return expression{kind: errorOutputType}, nil
		}
		return expression{}, badValue(member)
	case "partitionKeyFromQuery":
		return expression{kind: keyFromQuery, text: value}, nil
	case "partitionKeyFromLambda":
		return expression{kind: keyFromLambda, text: value}, nil
	}
	return expression{}, broken("Namespace to the left of colon (%s) is an invalid keyword!", namespace)
}

func badValue(member string) error {
	return broken("Invalid conversion character used in the value of the expression in %s", member)
}

// String is the prefix as it was written.
func (p *Prefix) String() string { return p.text }

// HasExpressions tells whether anything of the prefix is not plain text.
func (p *Prefix) HasExpressions() bool {
	return slices.ContainsFunc(p.parts, func(e expression) bool { return e.kind != plain })
}

// HasErrorType tells whether the prefix has a !{firehose:error-output-type}.
func (p *Prefix) HasErrorType() bool { return p.has(errorOutputType) }

func (p *Prefix) has(k expressionKind) bool {
	return slices.ContainsFunc(p.parts, func(e expression) bool { return e.kind == k })
}

// Keys names the partition keys that the prefix uses, each once, in its order.
func (p *Prefix) Keys() (fromQuery, fromLambda []string) {
	for _, e := range p.parts {
		switch {
		case e.kind == keyFromQuery && !slices.Contains(fromQuery, e.text):
			fromQuery = append(fromQuery, e.text)
		case e.kind == keyFromLambda && !slices.Contains(fromLambda, e.text):
			fromLambda = append(fromLambda, e.text)
		}
	}
	return fromQuery, fromLambda
}

// Values are what a prefix's expressions stand for in one object.
type Values struct {
	Time       time.Time      // the arrival of the object's oldest record, used to the second
	Zone       *time.Location // of the times written; nil is UTC
	FromQuery  map[string]string
	FromLambda map[string]string
	ErrorType  string // such as processing-failed
}

func (v *Values) time() time.Time {
	zone := v.Zone
	if zone == nil {
		zone = time.UTC
	}
	return v.Time.Truncate(time.Second).In(zone)
}

// Eval is the prefix with its expressions evaluated: the whole of it with
// dynamic partitioning. It fails for a partition key that v has not, and for a
// time that a pattern cannot print, such as one wider than its padding.
func (p *Prefix) Eval(v Values) (string, error) {
	var b strings.Builder
	at := v.time()
	for _, e := range p.parts {
		s, ok := e.text, true
		var err error
		switch e.kind {
		case timestamp:
			s, err = e.time.format(at)
		case randomString:
			s = newRandomString()
		case errorOutputType:
			s = v.ErrorType
		case keyFromQuery:
			s, ok = v.FromQuery[e.text]
		case keyFromLambda:
			s, ok = v.FromLambda[e.text]
		}
		if !ok {
			return "", fmt.Errorf("prefix %q: there is no partition key %q", p.text, e.text)
		}
		if err != nil {
			return "", fmt.Errorf("prefix %q: %w", p.text, err)
		}
		b.WriteString(s)
	}
	return b.String(), nil
}

// EvalWithTime is Eval, followed by yyyy/MM/dd/HH/ if the prefix has no
// expression, as without dynamic partitioning. No slash is put between them: AWS
// was seen to turn the prefix legacy into legacy2026/07/13/14/. Nor was it seen to
// append the time to a prefix whose only expression is a random string (floci,
// issue 1857), though the developer guide has it do so unless there is a timestamp
// expression: UNVERIFIED, as sources differ.
func (p *Prefix) EvalWithTime(v Values) (string, error) {
	s, err := p.Eval(v)
	if err != nil || p.HasExpressions() {
		return s, err
	}
	return s + v.time().Format("2006/01/02/15/"), nil
}

// typeAndHour follows the Prefix where no ErrorOutputPrefix is given.
var typeAndHour = func() []expression {
	p, err := ParsePrefix("ErrorOutputPrefix", "!{firehose:error-output-type}/!{timestamp:yyyy/MM/dd/HH/}")
	if err != nil {
		panic("deliver: " + err.Error()) // it is constant
	}
	return p.parts
}()

// ErrorPrefix is the prefix of what has failed. An errorPrefix stands for itself: the
// developer guide appends the time to a Prefix only, and its example of an error
// prefix with nothing but the type stays as it is; that one without any expression
// does too is UNVERIFIED. Where it is empty it is prefix with the type and the time:
// AWS was seen to make retries/processing-failed/2025/03/04/11/ of the Prefix
// retries/, where the guide has the day of the year.
func ErrorPrefix(prefix, errorPrefix *Prefix) *Prefix {
	if errorPrefix.text != "" {
		return errorPrefix
	}
	return &Prefix{member: errorPrefix.member, text: prefix.text, parts: slices.Concat(prefix.parts, typeAndHour)}
}

// newRandomString has the length and kind of those in the developer guide.
func newRandomString() string { return strings.ToLower(rand.Text()[:11]) }

// CheckPrefixes tells whether a destination can have these prefixes, of which
// either may be nil, with dynamic partitioning or without. Times in them are of a
// zone, nil is UTC. An error's text is what AWS was seen to answer; which of several
// AWS names first is UNVERIFIED.
func CheckPrefixes(prefix, errorPrefix *Prefix, partitioned bool, zone *time.Location) error {
	if prefix == nil {
		prefix = &Prefix{}
	}
	if errorPrefix == nil {
		errorPrefix = &Prefix{}
	}
	keyed := prefix.has(keyFromQuery) || prefix.has(keyFromLambda)
	switch {
	case prefix.HasErrorType():
		return broken("Prefix must not contain any occurrence of !{firehose:error-output-type}")
	case errorPrefix.has(keyFromQuery) || errorPrefix.has(keyFromLambda):
		return refusal("Dynamic Partitioning Namespaces can't be part of an error prefix expression")
	case keyed && !partitioned:
		return refusal("Dynamic Partitioning Namespaces can only be part of a prefix expression when Dynamic Partitioning is enabled.")
	case partitioned && !keyed:
		return refusal("S3 Prefix should contain Dynamic Partitioning namespaces when Dynamic Partitioning is enabled")
	case prefix.HasExpressions() && errorPrefix.text == "":
		return broken("ErrorOutputPrefix cannot be null or empty when Prefix contains expressions")
	case errorPrefix.HasExpressions() && !errorPrefix.HasErrorType():
		return broken("ErrorOutputPrefix must contain at least one occurrence of !{firehose:error-output-type}")
	}
	if err := prefix.checkTexts(zone); err != nil {
		return err
	}
	return errorPrefix.checkTexts(zone)
}

// checkTexts evaluates the prefix for moments of a year, with empty partition keys,
// and without the time that EvalWithTime appends: AWS was seen to accept a plain
// prefix of 512 characters. It refuses what has no text at one of them, such as a
// month that is wider than its padding: deliveries would fail for all of it. What AWS
// says of such a prefix, and of which moment, is UNVERIFIED.
func (p *Prefix) checkTexts(zone *time.Location) error {
	v := Values{Zone: zone, FromQuery: map[string]string{}, FromLambda: map[string]string{}}
	fromQuery, fromLambda := p.Keys()
	for _, name := range fromQuery {
		v.FromQuery[name] = ""
	}
	for _, name := range fromLambda {
		v.FromLambda[name] = ""
	}
	for v.Time = range Moments(time.Now(), zone) {
		s, err := p.Eval(v)
		if err != nil {
			return badValue(p.member)
		}
		if utf8.RuneCountInString(s) > maxEvaluatedPrefix {
			subject := "prefix"
			if p.member == "ErrorOutputPrefix" {
				subject = p.member
			}
			return broken("Length of evaluated %s cannot be greater than %d", subject, maxEvaluatedPrefix)
		}
	}
	return nil
}
