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
// before it calls: signature, form, the constraints of the API's model, and what
// can be told of the settings by themselves. An error is a [*wire.Error], which
// the client gets as it is; [ErrReset]; or any other, which the client sees as
// InternalFailure (HTTP 500). Methods are called from many goroutines.
type Backend interface {
	// CreateDeliveryStream makes a stream. What its prefixes, processors and
	// schema say is for the backend to check.
	CreateDeliveryStream(context.Context, Caller, *CreateDeliveryStreamInput) (*CreateDeliveryStreamOutput, error)
	DeleteDeliveryStream(context.Context, Caller, *DeleteDeliveryStreamInput) error
	DescribeDeliveryStream(context.Context, Caller, *DescribeDeliveryStreamInput) (*DescribeDeliveryStreamOutput, error)
	ListDeliveryStreams(context.Context, Caller, *ListDeliveryStreamsInput) (*ListDeliveryStreamsOutput, error)
	// UpdateDestination checks the version and the destination's id, gives the
	// destination to Apply and checks what it has become as for a new stream. The
	// version stays if nothing has changed (reflect.DeepEqual).
	UpdateDestination(context.Context, Caller, *UpdateDestinationInput) error
	ListTagsForDeliveryStream(context.Context, Caller, *ListTagsInput) (*ListTagsOutput, error)
	// TagDeliveryStream adds tags; of those that a stream has, it replaces the
	// values. A stream has at most 50.
	TagDeliveryStream(context.Context, Caller, *TagInput) error
	// UntagDeliveryStream removes tags. One that is not there is no error.
	UntagDeliveryStream(context.Context, Caller, *UntagInput) error
	StartDeliveryStreamEncryption(context.Context, Caller, *StartEncryptionInput) error
	StopDeliveryStreamEncryption(context.Context, Caller, *StopEncryptionInput) error
	// PutRecord stores one record. data is valid only until the call returns: the
	// backend copies what it keeps.
	PutRecord(ctx context.Context, c Caller, stream string, data []byte) (id string, encrypted bool, err error)
	// PutRecordBatch stores 1 to 500 records and tells each one's fate. records and
	// their bytes are valid only until the call returns: the backend copies what
	// it keeps.
	PutRecordBatch(ctx context.Context, c Caller, stream string, records [][]byte) (wire.PutResponse, error)
}

// ErrReset is what a backend returns to break the connection off without an
// answer, by a TCP reset where there is TCP.
var ErrReset = awsapi.ErrReset

// The shapes below are those of the API's operations, checked, and with the
// defaults of what was not sent.

type CreateDeliveryStreamInput struct {
	DeliveryStreamName string
	Destination        Destination // with every default filled in
	Encryption         *Encryption // nil: none
	Tags               []Tag       // each key once
	// ThroughputHintInMBs is 1 to 100, or 0: none. It is for information only (API
	// reference).
	ThroughputHintInMBs int
}

type CreateDeliveryStreamOutput struct {
	DeliveryStreamARN string
}

type DeleteDeliveryStreamInput struct {
	DeliveryStreamName string
	AllowForceDelete   bool
}

type DescribeDeliveryStreamInput struct {
	DeliveryStreamName string
}

// DescribeDeliveryStreamOutput describes a stream; the server words its
// destination as AWS does.
type DescribeDeliveryStreamOutput struct {
	DeliveryStreamName  string
	DeliveryStreamARN   string
	Status              Status
	Encryption          Encryption
	VersionID           string
	Created             time.Time
	LastUpdate          time.Time // of the destination; zero: never
	ThroughputHintInMBs int       // 0: none
	Destination         Destination
}

// Status is a delivery stream's state.
type Status string

const (
	Creating Status = "CREATING"
	Active   Status = "ACTIVE"
	Deleting Status = "DELETING"
)

// Encryption is a stream's server-side encryption.
type Encryption struct {
	// Status is empty in an input, and otherwise ENABLED, ENABLING,
	// ENABLING_FAILED, DISABLED, DISABLING or DISABLING_FAILED.
	Status  string   `json:",omitempty"`
	KeyType string   `json:",omitempty"` // AWS_OWNED_CMK or CUSTOMER_MANAGED_CMK
	KeyARN  string   `json:",omitempty"` // of a customer's key only
	Failure *Failure `json:",omitempty"` // of the last attempt to switch
}

// Failure says why something has failed.
type Failure struct {
	Type    string // such as KMS_ACCESS_DENIED
	Details string
}

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

// UpdateDestinationInput is an update, which the server alone can read.
type UpdateDestinationInput struct {
	DeliveryStreamName string
	CurrentVersionID   string // digits
	DestinationID      string
	// Apply returns what the update makes of a destination: one of the same type
	// is merged member by member, of another type nothing is kept (API reference).
	// It refuses what the two do not allow together. It does not change its
	// argument, and must not be called any more once UpdateDestination has
	// returned.
	Apply func(Destination) (Destination, error)
}

// Tag is a stream's tag. Its value may be empty.
type Tag struct{ Key, Value string }

type TagInput struct {
	DeliveryStreamName string
	Tags               []Tag // 1 to 50, each key once
}

type UntagInput struct {
	DeliveryStreamName string
	Keys               []string // 1 to 50
}

type ListTagsInput struct {
	DeliveryStreamName string
	Limit              int    // 1 to 50; default 50
	After              string // the exclusive start; empty: from the beginning
}

type ListTagsOutput struct {
	Tags    []Tag // in the order of their keys
	HasMore bool
}

type StartEncryptionInput struct {
	DeliveryStreamName string
	Encryption         Encryption
}

type StopEncryptionInput struct {
	DeliveryStreamName string
}
