package conformance

import (
	"encoding/base64"
	"slices"
	"strings"
)

// Cases is the table. It has some 30 MB of records in it; the slice is the
// caller's.
func Cases() []Case {
	return slices.Concat(
		nameCases(), createCases(), describeCases(), updateCases(), listCases(), tagCases(), encryptionCases(),
		putCases(), prefixCases(), partitioningCases(), processingCases(), conversionCases(), deliveryCases(), signatureCases(), toolCases(),
	)
}

// list is cases of one area.
func list(area string, cases ...Case) []Case {
	for i := range cases {
		cases[i].Area = area
	}
	return cases
}

const (
	role = `arn:aws:iam::123456789012:role/firehose`
	arns = `"RoleARN":"` + role + `","BucketARN":"arn:aws:s3:::{b}"`
	key  = `arn:aws:kms:us-east-1:123456789012:key/1`

	mismatch     = "~^1 validation error detected: Value .* failed to satisfy constraint: Member must "
	destination  = "destinationId-000000000001"
	unprivileged = "InvalidArgumentException"
	validation   = "ValidationException"
)

// extended is a stream's destination with more members.
func extended(more string) string {
	return `"ExtendedS3DestinationConfiguration":{` + arns + more + `}`
}

// create makes the stream {s} with more members in its destination.
func create(more string) Step { return creating(extended(more)) }

// creating makes the stream {s} with these members.
func creating(members string) Step {
	return Step{Op: "CreateDeliveryStream", In: `{"DeliveryStreamName":"{s}",` + members + `}`}
}

// onStream calls an operation for the stream {s} with more members.
func onStream(op, more string) Step {
	return Step{Op: op, In: `{"DeliveryStreamName":"{s}"` + more + `}`}
}

// update updates the destination of the version, in its extended form.
func update(version, members string) Step {
	return onStream("UpdateDestination", `,"CurrentDeliveryStreamVersionId":"`+version+`","DestinationId":"`+destination+`","ExtendedS3DestinationUpdate":{`+members+`}`)
}

// put puts records in one call.
func put(records ...string) Step {
	var list []string
	for _, r := range records {
		list = append(list, `{"Data":"`+encode(r)+`"}`)
	}
	return onStream("PutRecordBatch", `,"Records":[`+strings.Join(list, ",")+`]`)
}

func putOne(data string) Step { return onStream("PutRecord", `,"Record":{"Data":"`+encode(data)+`"}`) }

func encode(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

// refused is s with a refusal.
func (s Step) refused(code, message string) Step {
	s.Want = Want{Code: code, Message: message}
	return s
}

// gives is s with members of the answer.
func (s Step) gives(fields string) Step {
	s.Want.Fields = fields
	return s
}

// described describes the stream {s}, whose description must have these members.
func described(fields string) Step {
	return onStream("DescribeDeliveryStream", "").gives(`{"DeliveryStreamDescription":{` + fields + `}}`)
}

// describedS3 is described for members of the extended destination.
func describedS3(version, fields string) Step {
	return described(`"VersionId":"` + version + `","Destinations":[{"ExtendedS3DestinationDescription":{` + fields + `}}]`)
}

// repeated is n steps.
func repeated(n int, s Step) []Step { return slices.Repeat([]Step{s}, n) }

// withStream is a case whose first step makes the stream {s}.
func withStream(name, source string, steps ...Step) Case {
	return Case{Name: name, Source: source, Steps: append([]Step{create("")}, steps...)}
}

// single is a case of one step.
func single(name, source string, s Step) Case {
	return Case{Name: name, Source: source, Steps: []Step{s}}
}
