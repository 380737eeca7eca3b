package server

import (
	"fmt"
	"iter"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/hydrant-go/hydrant/wire"
)

// limits is what the API's model says of a string.
type limits struct {
	min, max int // characters
	pattern  pattern
	secret   bool // messages must not show the string
}

// pattern is one that the whole of a string must satisfy.
type pattern struct {
	text  string // as messages show it
	match func(string) bool
}

func expression(text string) pattern {
	return pattern{text, regexp.MustCompile(`\A(?:` + text + `)\z`).MatchString}
}

// Go has no look-ahead, which is what these two have.
var (
	notBlank = pattern{`^(?!\s*$).+`, regexp.MustCompile(`\A.*[^\s\x0b].*\z`).MatchString}
	tagKey   = pattern{`^(?!aws:)[\p{L}\p{Z}\p{N}_.:\/=+\-@%]*$`, func(s string) bool {
		return !strings.HasPrefix(s, "aws:") && tagValue.match(s)
	}}
)

var (
	tagValue = expression(`^[\p{L}\p{Z}\p{N}_.:\/=+\-@%]*$`)
	anything = expression(`.*`)
)

// The strings of the model.
var (
	streamNames = limits{1, wire.MaxNameBytes, expression(wire.NamePattern), false}
	versionIDs  = limits{1, 50, expression(`[0-9]+`), false}
	destIDs     = limits{1, 100, expression(`[a-zA-Z0-9-]+`), false}
	tagKeys     = limits{1, 128, tagKey, false}
	tagValues   = limits{0, 256, tagValue, false}

	roles      = limits{1, 512, expression(`arn:.*:iam::\d{12}:role/[a-zA-Z_0-9+=,.@\-_/]+`), false}
	buckets    = limits{1, 2048, expression(`arn:.*:s3:::[\w\.\-]{1,255}`), false}
	objectKeys = limits{1, 512, expression(`arn:.*:kms:[a-zA-Z0-9\-]+:\d{12}:(key|alias)/[a-zA-Z_0-9+=,.@\-_/]+`), false}
	streamKeys = limits{1, 512, expression(`arn:.*:kms:[a-zA-Z0-9\-]+:\d{12}:key/[a-zA-Z_0-9+=,.@\-_/]+`), false}
	secretARNs = limits{1, 2048, expression(`arn:.*:secretsmanager:[a-zA-Z0-9\-]+:\d{12}:secret:[a-zA-Z0-9\-/_+=.@!]+`), false}

	prefixes   = limits{0, 1024, anything, false}
	extensions = limits{0, 128, expression(`^$|\.[0-9a-z!\-_.*'()]+`), false}
	zones      = limits{0, 50, expression(`^$|[a-zA-Z/_]+`), false}
	logGroups  = limits{0, 512, expression(`[\.\-_/#A-Za-z0-9]*`), false}
	logStreams = limits{0, 512, expression(`[^:*]*`), false}

	parameterValues = limits{1, 5120, notBlank, false}
	unspaced        = limits{1, 1024, expression(`^\S+$`), false}
	filled          = limits{1, 1024, notBlank, false}

	endpointURLs    = limits{1, 1000, expression(`https://.*`), true}
	anyURLs         = limits{1, 1000, expression(`https?://.*`), true}
	endpointNames   = limits{1, 256, notBlank, false}
	accessKeys      = limits{0, 4096, anything, true}
	attributeNames  = limits{1, 256, notBlank, true}
	attributeValues = limits{0, 1024, anything, true}
)

// urls is what the URL of an endpoint may be.
func (in *input) urls() limits {
	if in.allowHTTP {
		return anyURLs
	}
	return endpointURLs
}

// allOf tells whether every string is within the limits.
func (l limits) allOf(list iter.Seq[string]) bool {
	for s := range list {
		if n := utf8.RuneCountInString(s); n < l.min || n > l.max || !l.pattern.match(s) {
			return false
		}
	}
	return true
}

// String words the limits as AWS does for the members of lists and maps.
func (l limits) String() string {
	return fmt.Sprintf("[Member must have length less than or equal to %d, Member must have length greater than or equal to %d, "+
		"Member must satisfy regular expression pattern: %s]", l.max, l.min, l.pattern.text)
}
