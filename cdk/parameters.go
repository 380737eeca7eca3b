package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// parameter is a choice that is a plain value. It is a parameter of the template, unless a
// context value of the same name (streamName for StreamName) fixes it: the CDK CLI gives
// a stack that is there the parameters that it had, so another default would change
// nothing, and say nothing.
type parameter struct {
	name, description string
	value             any    // a string, or an int where the parameter is a number
	fixed             bool   // value is not just the default
	pattern           string // of a string
	min, max          int    // of a number, or of a string's length
	allowed           []int  // of a number, instead of min and max
	rule              string // what the above ask for: "… must be rule"
	optional          bool   // "" or 0 is none
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
			value: "", optional: true, pattern: "^[a-zA-Z0-9_.-]*$", max: 64, rule: "at most 64 of a-z, A-Z, 0-9, _, . and -",
		},
		{
			name: "BufferSizeMiB", description: "An object is written when so much has come, counted before compression.",
			value: 64, min: size, max: 128, rule: fmt.Sprintf("a number from %d to 128", size),
		},
		{
			name: "BufferIntervalSeconds", description: "An object is written after so long at the latest.",
			value: 300, min: interval, max: 900, rule: fmt.Sprintf("a number from %d to 900", interval),
		},
		{
			name: "Prefix", description: "What objects' keys begin with, with expressions such as !{timestamp:yyyy/MM/dd/HH}.",
			value: prefix + "!{timestamp:yyyy/MM/dd/HH}/", optional: true, min: minPrefix, max: 1024, rule: fmt.Sprintf("%d to 1,024 characters", minPrefix),
		},
		{
			name: "ErrorPrefix", description: "What keys of objects with failed records begin with; must have !{firehose:error-output-type} if it or Prefix has any expression.",
			value: "errors/!{firehose:error-output-type}/!{timestamp:yyyy/MM/dd/HH}/", optional: true, min: minPrefix, max: 1024, rule: fmt.Sprintf("%d to 1,024 characters", minPrefix),
		},
		{
			name: "ObjectExpirationDays", description: "Objects are removed after so many days; 0: never.",
			value: 0, optional: true, max: 36500, rule: "a number from 0 (never) to 36500",
		},
		{
			name: "LogRetentionDays", description: "Logs of delivery errors are kept for so many days.",
			value: 30, allowed: logRetentionDays, rule: "one of " + list(logRetentionDays),
		},
		{
			name: "KmsKeyArn", description: "KMS key that encrypts the stream's buffers and the bucket's objects; empty: S3's own encryption (AES256), and none of the stream. Its policy must let IAM policies of this account use it.",
			value: "", optional: true, pattern: "^$|^arn:[^:]+:kms:[a-z0-9-]+:[0-9]{12}:key/.+$", max: 512, rule: "the ARN of a KMS key (arn:aws:kms:REGION:ACCOUNT:key/ID, no alias), or empty",
		},
		{
			name: "AlarmTopicArn", description: "SNS topic that alarms are sent to; empty: alarms only show in CloudWatch.",
			value: "", optional: true, pattern: "^$|^arn:[^:]+:sns:[a-z0-9-]+:[0-9]{12}:.+$", max: 512, rule: "the ARN of an SNS topic (arn:aws:sns:REGION:ACCOUNT:NAME), or empty",
		},
	}
}

// list is numbers with spaces between.
func list(numbers []int) string { return strings.Trim(fmt.Sprint(numbers), "[]") }
