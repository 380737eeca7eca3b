package server

type Destination struct {
	S3   *S3Destination   `json:",omitempty"`
	HTTP *HTTPDestination `json:",omitempty"`
}

type Logging struct {
	Enabled       bool
	Group, Stream string
}

type Processing struct {
	Enabled    bool
	Processors []Processor
}

type Processor struct {
	Type       string
	Parameters []Parameter
}

type Parameter struct{ Name, Value string }

type Conversion struct{ Enabled bool }

type Partitioning struct {
	Enabled      bool
	RetrySeconds int
}

type Attribute struct{ Name, Value string }

type HTTPDestination struct {
	URL, Name, AccessKey         string
	SizeInMBs, IntervalInSeconds int
	Logging                      Logging
	ContentEncoding              string
	CommonAttributes             []Attribute
	Processing                   *Processing
	RoleARN                      string
	RetrySeconds                 int
	BackupMode                   string
	S3                           S3Destination
}

type Tag struct{ Key, Value string }

type Encryption struct {
	Status, KeyType, KeyARN string
}

type UpdateDestinationInput struct {
	DeliveryStreamName, CurrentVersionID, DestinationID string
	Apply                                               func(Destination) (Destination, error)
}

type ListTagsInput struct {
	DeliveryStreamName string
	After              string
	Limit              int
}

type ListTagsOutput struct {
	Tags    []Tag
	HasMore bool
}

type TagInput struct {
	DeliveryStreamName string
	Tags               []Tag
}

type UntagInput struct {
	DeliveryStreamName string
	Keys               []string
}

type StartEncryptionInput struct {
	DeliveryStreamName string
	Encryption         Encryption
}

type StopEncryptionInput struct{ DeliveryStreamName string }
