// Package wire holds the rules of Amazon Data Firehose as code: its limits and
// names, its error codes and what a sender should do about each, what it bills,
// and the bodies of PutRecord and PutRecordBatch.
//
// The package does no I/O, starts nothing and keeps no state, so both ends of
// the connection use it: the producer and the local Firehose. Figures come from
// the service's API model (2015-08-04) and its developer guide; where those
// disagree with what AWS was seen to do, the comment says so.
package wire

import "fmt"

// Limits of the put calls. All of them count raw bytes, before base64.
const (
	// MaxBatchRecords is the most records that one PutRecordBatch may hold.
	MaxBatchRecords = 500
	// MaxBatchBytes is the most raw bytes that the records of one
	// PutRecordBatch may hold together: 4,194,304 were seen accepted and
	// 4,194,305 refused.
	MaxBatchBytes = 4 << 20
	// MaxRecordBytes is the most raw bytes of one record (1,000 KiB).
	MaxRecordBytes = 1000 << 10
	// BillingIncrement is the step to which the size of every record is
	// rounded up on the bill (developer guide, limits: "next 5 KB").
	BillingIncrement = 5 << 10
)

// Quota is what a stream takes in a second of Direct PUT, by PutRecord and
// PutRecordBatch together. Bytes are raw.
type Quota struct{ Calls, Records, Bytes float64 }

// DefaultQuota is a new stream's quota in a region. The three scale together
// when AWS raises them, which it does by itself for a stream that is throttled
// for a while (developer guide, limits).
func DefaultQuota(region string) Quota {
	switch region {
	case "us-east-1", "us-west-2", "eu-west-1":
		return Quota{Calls: 2000, Records: 500_000, Bytes: 5 << 20}
	}
	return Quota{Calls: 1000, Records: 100_000, Bytes: 1 << 20}
}

// MaxStreams is how many delivery streams an account may have in a region, unless
// AWS raises it (developer guide, limits).
func MaxStreams(region string) int {
	switch region {
	case "us-east-1", "us-east-2", "us-west-2", "eu-west-1", "ap-northeast-1":
		return 5000
	case "eu-central-1", "eu-west-2", "ap-southeast-1", "ap-southeast-2", "ap-northeast-2", "ap-south-1", "us-gov-west-1", "ca-central-1":
		return 2000
	case "eu-west-3", "eu-south-1", "eu-north-1", "ap-east-1", "ap-northeast-3", "sa-east-1", "cn-north-1", "cn-northwest-1", "me-south-1", "us-gov-east-1", "af-south-1":
		return 500
	}
	return 100
}

// Names of the protocol (awsJson1_1).
const (
	// TargetPrefix stands before the operation's name in X-Amz-Target.
	TargetPrefix = "Firehose_20150804."
	// ContentType is that of every request and answer.
	ContentType = "application/x-amz-json-1.1"
	// SigningName is the service in the credential scope of a signature.
	SigningName = "firehose"
)

// MaxNameBytes is the longest name of a delivery stream.
const MaxNameBytes = 64

// NamePattern is the service's pattern for the name of a delivery stream.
const NamePattern = `[a-zA-Z0-9_.-]+`

// matchesNamePattern is NamePattern without the cost of a regular expression.
func matchesNamePattern(name string) bool {
	for i := range len(name) {
		switch c := name[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_', c == '.', c == '-':
		default:
			return false
		}
	}
	return name != ""
}

// CheckStreamName tells in words what is wrong with a delivery stream's name,
// or returns nil. It is for messages to people; a server answers with
// [ValidatePut]'s text instead.
func CheckStreamName(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("the delivery stream's name is empty")
	case len(name) > MaxNameBytes:
		return fmt.Errorf("delivery stream name %q has %d characters, the limit is %d", name, len(name), MaxNameBytes)
	case !matchesNamePattern(name):
		return fmt.Errorf("delivery stream name %q may hold only letters, digits, '_', '.' and '-'", name)
	}
	return nil
}
