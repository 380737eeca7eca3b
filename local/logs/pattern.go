package logs

import (
	"encoding/json"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/hydrant-go/hydrant/internal/awsapi"
)

// Filter patterns, as CloudWatch Logs' user guide has them (filter and pattern
// syntax).
//
// Kept: terms, which are case-sensitive parts of the message, plain or quoted, all of
// which must be there; ?term, of which one must; -term, which must not. Of JSON
// patterns: selectors of properties and elements ($.a.b[0]), = and != with a text
// that may begin or end with *, comparisons of numbers, IS NULL, IS TRUE, IS FALSE, NOT
// EXISTS, && and || and parentheses.
// Left out, and refused by name: regular expressions (%…%), space-delimited
// patterns ([…]), other selectors, and ?term beside other terms, where AWS leaves it
// out of account.
// Where a selector finds nothing, or an object, an array or null, neither = nor !=
// matches. The guide says so of objects and arrays; of the others it is not known.

const maxPattern = 1024

// matcher tells whether a message matches.
type matcher func(message string) bool

func parsePattern(text string) (matcher, error) {
	if len(text) > maxPattern {
		return nil, invalid("1 validation error detected: Value at 'filterPattern' failed to satisfy constraint: Member must have length less than or equal to %d", maxPattern)
	}
	text = strings.TrimSpace(text)
	switch {
	case text == "":
		return func(string) bool { return true }, nil
	case text[0] == '{':
		return parseJSONPattern(text)
	case text[0] == '[':
		return nil, awsapi.NotImplemented("The local Firehose does not support space-delimited filter patterns ([…]).")
	}
	return parseTerms(text)
}

// parseTerms takes a pattern of terms.
func parseTerms(text string) (matcher, error) {
	var all, some, none []string
	for text != "" {
		kind := &all
		switch text[0] {
		case '?':
			kind, text = &some, text[1:]
		case '-':
			kind, text = &none, strings.TrimSpace(text[1:])
		}
		term, rest, err := cutTerm(text)
		if err != nil {
			return nil, err
		}
		*kind = append(*kind, term)
		text = strings.TrimSpace(rest)
	}
	if len(some) > 0 && len(all)+len(none) > 0 {
		return nil, awsapi.NotImplemented("The local Firehose does not support ?term beside other terms in a filter pattern; AWS takes no account of it there.")
	}
	return func(m string) bool {
		in := func(term string) bool { return strings.Contains(m, term) }
		return !slices.ContainsFunc(none, in) &&
			!slices.ContainsFunc(all, func(term string) bool { return !in(term) }) &&
			(len(some) == 0 || slices.ContainsFunc(some, in))
	}, nil
}

// cutTerm takes the term that text begins with, plain or quoted.
func cutTerm(text string) (term, rest string, err error) {
	if strings.HasPrefix(text, `"`) {
		return cutQuoted(text)
	}
	if strings.HasPrefix(text, "%") {
		return "", "", errRegexp
	}
	end := strings.IndexFunc(text, unicode.IsSpace)
	if end < 0 {
		end = len(text)
	}
	term = text[:end]
	if term == "" || strings.ContainsFunc(term, func(r rune) bool { return r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		return "", "", invalid("Invalid character(s) in term '%s'", term)
	}
	return term, text[end:], nil
}

var errRegexp = awsapi.NotImplemented("The local Firehose does not support regular expressions (%%…%%) in a filter pattern.")

// cutQuoted takes the quoted string that text begins with; a backslash stands
// before a quote or a backslash in it.
func cutQuoted(text string) (s, rest string, err error) {
	var b strings.Builder
	for i := 1; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			return b.String(), text[i+1:], nil
		case c == '\\' && i+1 < len(text) && (text[i+1] == '"' || text[i+1] == '\\'):
			i++
			b.WriteByte(text[i])
		default:
			b.WriteByte(c)
		}
	}
	return "", "", invalid("Invalid filter pattern: the quote before %.100q is not closed", text)
}

// condition tells whether a JSON document matches.
type condition func(doc any) bool

func parseJSONPattern(text string) (matcher, error) {
	p := &jsonParser{strings.TrimPrefix(text, "{")}
	c, err := p.or()
	if err == nil && !(p.take("}") && p.rest() == "") {
		err = p.unexpected("&&, || or the closing brace")
	}
	if err != nil {
		return nil, err
	}
	return func(m string) bool {
		dec := json.NewDecoder(strings.NewReader(m))
		dec.UseNumber()
		var doc any
		if dec.Decode(&doc) != nil {
			return false
		}
		_, err := dec.Token()
		return err == io.EOF && c(doc)
	}, nil
}

// jsonParser is what is left of a pattern.
type jsonParser struct{ text string }

func (p *jsonParser) rest() string {
	p.text = strings.TrimSpace(p.text)
	return p.text
}

func (p *jsonParser) take(token string) bool {
	rest, ok := strings.CutPrefix(p.rest(), token)
	p.text = rest
	return ok
}

// word takes one of the words of IS NULL and so on.
func (p *jsonParser) word(word string) bool {
	if len(p.rest()) < len(word) || !strings.EqualFold(p.text[:len(word)], word) {
		return false
	}
	p.text = p.text[len(word):]
	return true
}

func (p *jsonParser) unexpected(want string) error {
	return invalid("Invalid filter pattern: %s is expected before %.100q", want, p.rest())
}

func (p *jsonParser) or() (condition, error) {
	left, err := p.and()
	for err == nil && p.take("||") {
		var right condition
		if right, err = p.and(); err == nil {
			first := left
			left = func(doc any) bool { return first(doc) || right(doc) }
		}
	}
	return left, err
}

func (p *jsonParser) and() (condition, error) {
	left, err := p.one()
	for err == nil && p.take("&&") {
		var right condition
		if right, err = p.one(); err == nil {
			first := left
			left = func(doc any) bool { return first(doc) && right(doc) }
		}
	}
	return left, err
}

func (p *jsonParser) one() (condition, error) {
	if p.take("(") {
		c, err := p.or()
		if err == nil && !p.take(")") {
			err = p.unexpected("a closing parenthesis")
		}
		return c, err
	}
	path, err := p.selector()
	if err != nil {
		return nil, err
	}
	switch {
	case p.word("IS"):
		return p.is(path)
	case p.word("NOT"):
		if !p.word("EXISTS") {
			return nil, p.unexpected("EXISTS")
		}
		return func(doc any) bool { _, found := find(doc, path); return !found }, nil
	}
	for _, op := range []string{"!=", ">=", "<=", "=", ">", "<"} { // the longer ones first
		if p.take(op) {
			return p.compare(path, op)
		}
	}
	return nil, p.unexpected("=, !=, <, <=, >, >=, IS or NOT EXISTS")
}

var stepRE = regexp.MustCompile(`^(\.([A-Za-z0-9_-]+)|\[(\d{1,6})\])`)

// selector takes a path from the root: names of properties and numbers of elements.
func (p *jsonParser) selector() (path []any, err error) {
	if !p.take("$") {
		return nil, p.unexpected("a selector such as $.errorCode")
	}
	for {
		m := stepRE.FindStringSubmatch(p.text)
		switch {
		case m == nil && (strings.HasPrefix(p.text, ".") || strings.HasPrefix(p.text, "[")):
			return nil, awsapi.NotImplemented("The local Firehose does not support the selector before %.100q in a filter pattern: it knows $.name and $.name[0].", p.text)
		case m == nil && path == nil:
			return nil, p.unexpected("a property such as .errorCode")
		case m == nil:
			return path, nil
		case m[2] != "":
			path = append(path, m[2])
		default:
			i, _ := strconv.Atoi(m[3]) // of six digits at most
			path = append(path, i)
		}
		p.text = p.text[len(m[0]):]
	}
}

// find follows a path in a document.
func find(doc any, path []any) (value any, found bool) {
	for _, step := range path {
		switch step := step.(type) {
		case string:
			object, _ := doc.(map[string]any)
			if doc, found = object[step]; !found {
				return nil, false
			}
		case int:
			array, _ := doc.([]any)
			if step >= len(array) {
				return nil, false
			}
			doc = array[step]
		}
	}
	return doc, true
}

func (p *jsonParser) is(path []any) (condition, error) {
	for word, want := range map[string]any{"NULL": nil, "TRUE": true, "FALSE": false} {
		if p.word(word) {
			return func(doc any) bool {
				v, found := find(doc, path)
				_, isBool := v.(bool)
				return found && (v == nil || isBool) && v == want
			}, nil
		}
	}
	return nil, p.unexpected("NULL, TRUE or FALSE")
}

var (
	plainRE  = regexp.MustCompile(`^[\pL\pN_.*:/+-]+`)
	numberRE = regexp.MustCompile(`^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$`)
)

// compare takes the text or number that a selector is compared with.
func (p *jsonParser) compare(path []any, op string) (condition, error) {
	var text string
	quoted := strings.HasPrefix(p.rest(), `"`)
	switch {
	case quoted:
		var err error
		if text, p.text, err = cutQuoted(p.text); err != nil {
			return nil, err
		}
	case strings.HasPrefix(p.text, "%"):
		return nil, errRegexp
	default:
		if text = plainRE.FindString(p.text); text == "" {
			return nil, p.unexpected("a number or a text, in quotes if it has other signs than letters and digits,")
		}
		p.text = p.text[len(text):]
	}
	if !quoted && numberRE.MatchString(text) {
		want, _ := strconv.ParseFloat(text, 64) // its range has no end that matters here
		return func(doc any) bool { return compareNumber(at(doc, path), op, want, text) }, nil
	}
	if op != "=" && op != "!=" {
		return nil, invalid("Invalid filter pattern: %s is for numbers, not for %q", op, text)
	}
	return func(doc any) bool {
		got, ok := scalar(at(doc, path))
		return ok && glob(text, got) == (op == "=")
	}, nil
}

func at(doc any, path []any) any {
	v, _ := find(doc, path)
	return v
}

// compareNumber compares with a number; what is a text in the document is compared
// as one.
func compareNumber(v any, op string, want float64, text string) bool {
	n, ok := v.(json.Number)
	if !ok {
		got, ok := scalar(v)
		return ok && (op == "=" && got == text || op == "!=" && got != text)
	}
	got, _ := n.Float64()
	switch op {
	case "=":
		return got == want
	case "!=":
		return got != want
	case "<":
		return got < want
	case "<=":
		return got <= want
	case ">":
		return got > want
	}
	return got >= want
}

// scalar is the text of a string, a number or a boolean.
func scalar(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	case bool:
		return strconv.FormatBool(v), true
	}
	return "", false
}

// glob matches a text against a pattern, in which * at the beginning or the end
// stands for anything; within it stands for itself.
func glob(pattern, text string) bool {
	if pattern == "*" {
		return true
	}
	middle, before := strings.CutPrefix(pattern, "*")
	middle, after := strings.CutSuffix(middle, "*")
	switch {
	case before && after:
		return strings.Contains(text, middle)
	case before:
		return strings.HasSuffix(text, middle)
	case after:
		return strings.HasPrefix(text, middle)
	}
	return text == pattern
}
