package server

import (
	"context"
	"time"

	"github.com/hydrant-go/hydrant/internal/awsapi"
	"github.com/hydrant-go/hydrant/wire"
)

// Caller is who makes a call. Stream names are unique per account and region.
type Caller = awsapi.Caller

// Backend is what stands behind the API. The server has checked every input
// before it calls: signature, form and the constraints of the API's model. An
// error is a [*wire.Error], which the client gets as it is; [ErrReset]; or any
// other, which the client sees as InternalFailure (HTTP 500). Methods are
// called from many goroutines.
type Backend interface {
	CreateDeliveryStream(context.Context, Caller, *CreateDeliveryStreamInput) (*CreateDeliveryStreamOutput, error)
	DeleteDeliveryStream(context.Context, Caller, *DeleteDeliveryStreamInput) error
	DescribeDeliveryStream(context.Context, Caller, *DescribeDeliveryStreamInput) (*DescribeDeliveryStreamOutput, error)
	ListDeliveryStreams(context.Context, Caller, *ListDeliveryStreamsInput) (*ListDeliveryStreamsOutput, error)
	// PutRecord stores one record. The backend owns data from here on.
	PutRecord(ctx context.Context, c Caller, stream string, data []byte) (id string, encrypted bool, err error)
	// PutRecordBatch stores 1 to 500 records and tells each one's fate. The
	// backend owns records and their bytes from here on.
	PutRecordBatch(ctx context.Context, c Caller, stream string, records [][]byte) (wire.PutResponse, error)
}

// ErrReset is what a backend returns to break the connection off without an
// answer, by a TCP reset where there is TCP.
var ErrReset = awsapi.ErrReset

// The shapes below are those of the API, with its names in JSON. A pointer is
// nil where the member was not sent. Only members that a local Firehose can
// honour are here; the decoder refuses the others by name.

type CreateDeliveryStreamInput struct {
	DeliveryStreamName  string
	Destination         Destination
	Encryption          *Encryption
	Tags                []Tag
	ThroughputHintInMBs int
}

type CreateDeliveryStreamOutput struct {
	DeliveryStreamARN string
}

// S3Destination is an S3 destination with its defaults filled in, from either
// of the API's two forms.
type S3Destination struct {
	RoleARN           string
	BucketARN         string
	Prefix            string
	ErrorOutputPrefix string
	SizeInMBs         int    // 1 to 128, in MiB of raw bytes; default 5
	IntervalInSeconds int    // 0 to 900; default 300
	CompressionFormat string // UNCOMPRESSED (the default) or GZIP
	FileExtension     string // extended form only; "" is the format's own
	CustomTimeZone    string // extended form only; IANA name, "" is UTC
}

// Bucket is the name in BucketARN.
func (d *S3Destination) Bucket() string { return bucketName(d.BucketARN) }

type DeleteDeliveryStreamInput struct {
	DeliveryStreamName string
	AllowForceDelete   bool
}

type DescribeDeliveryStreamInput struct {
	DeliveryStreamName string
}

// DescribeDeliveryStreamOutput describes a stream; the server words it as both
// S3DestinationDescription and ExtendedS3DestinationDescription, as AWS does.
type DescribeDeliveryStreamOutput struct {
	DeliveryStreamName  string
	DeliveryStreamARN   string
	Status              Status
	VersionID           string
	Created             time.Time
	LastUpdate          time.Time
	Encryption          Encryption
	ThroughputHintInMBs int
	Destination         Destination
}

// Status is a delivery stream's state.
type Status string

const (
	Creating Status = "CREATING"
	Active   Status = "ACTIVE"
	Deleting Status = "DELETING"
)

type ListDeliveryStreamsInput struct {
	Limit int // 1 to 10,000; default 10
	// Type is empty, or the only type to list: DirectPut and so on.
	Type string
	// After is the exclusive start.
	After string
}

type ListDeliveryStreamsOutput struct {
	Names   []string // in alphabetical order
	HasMore bool
}
