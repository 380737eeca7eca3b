// Package logs is Amazon CloudWatch Logs: groups, streams and events in memory, with
// files behind them so that they outlive the process, and the API over them.
package logs

import (
	"context"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/hydrant-go/hydrant/internal/awsapi"
	"github.com/hydrant-go/hydrant/wire"
)

// Config sets a store up. The zero value is a store in memory.
type Config struct {
	// Dir is the folder of the store's files, which is made if need be. One store at
	// a time may have it. Empty: all is in memory and goes with the process.
	Dir string
	// MaxBytes is about how much is kept: beyond it the oldest sixteenth of what was
	// put goes. It bounds the files and the memory, as all events are in both.
	// Default 64 MiB.
	MaxBytes int64
	// Logger gets what was found damaged in the files. Default slog.Default().
	Logger *slog.Logger
}

// Event is a line of a log.
type Event struct {
	Time    time.Time // to the millisecond
	Message string    // in UTF-8, not empty
}

// Group is a log group.
type Group struct {
	Name string
	// Retention is for how many days events are kept: 0 is as long as there is room,
	// else one of those that the API knows.
	Retention int
	Class     string // STANDARD, the default, or INFREQUENT_ACCESS, which is only kept
	Tags      map[string]string
}

// Store is CloudWatch Logs of all accounts and regions. Its methods may be called
// from many goroutines.
type Store struct {
	log *slog.Logger

	// turn is held by whoever changes the store, over the writing of files too, so
	// that they say what happened in its order. It is taken before mu.
	turn    sync.Mutex
	journal journal   // guarded by turn
	lock    io.Closer // of the folder; nil in memory. Guarded by turn

	mu     sync.RWMutex // guards the fields below; never held over I/O
	groups map[groupKey]*group
	lastID uint64 // of a stream
	seq    uint64 // of the last event
}

type groupKey struct {
	awsapi.Caller
	name string
}

type group struct {
	created   int64 // milliseconds since 1970, as all times here
	retention int   // days
	class     string
	tags      map[string]string
	streams   map[string]*stream
}

type stream struct {
	id       uint64 // in the files; never used again
	created  int64
	ingested int64 // when the last events came
	// events are in order of time and seq. They are replaced or appended to, never
	// changed in place, so that a reader may go on with what it has.
	events []event
}

type event struct {
	time, ingested int64
	seq            uint64 // tells events apart, in order of arrival
	segment        int    // of the files
	message        string
}

// Codes of CloudWatch Logs' errors.
const (
	codeInvalid  = "InvalidParameterException"
	codeNotFound = "ResourceNotFoundException"
	codeExists   = "ResourceAlreadyExistsException"
	codeLimit    = "LimitExceededException"
)

func invalid(format string, args ...any) error { return wire.Errorf(codeInvalid, format, args...) }

var (
	errNoGroup  = wire.Errorf(codeNotFound, "The specified log group does not exist.")
	errNoStream = wire.Errorf(codeNotFound, "The specified log stream does not exist.")
)

func (s *Store) groupLocked(c awsapi.Caller, name string) (*group, error) {
	g := s.groups[groupKey{c, name}]
	if g == nil {
		return nil, errNoGroup
	}
	return g, nil
}

func (s *Store) streamLocked(c awsapi.Caller, groupName, name string) (*stream, error) {
	g, err := s.groupLocked(c, groupName)
	if err != nil {
		return nil, err
	}
	if g.streams[name] == nil {
		return nil, errNoStream
	}
	return g.streams[name], nil
}

// expired is the time before which events have reached the group's retention.
func (g *group) expired(now int64) int64 {
	if g.retention == 0 {
		return 0
	}
	return now - int64(g.retention)*day
}

const day = 24 * 60 * 60 * 1000 // milliseconds

// Put appends events to a stream, at whatever times and in any order. It makes
// nothing: where the group or the stream is missing the events are dropped, and the
// error says which (ResourceNotFoundException), as with a role that may only put.
func (s *Store) Put(c awsapi.Caller, group, stream string, events []Event) error {
	lines := make([]line, len(events))
	for i, e := range events {
		lines[i] = line{e.Time.UnixMilli(), strings.ToValidUTF8(e.Message, "\uFFFD")}
	}
	return s.put(c, group, stream, lines)
}

// Service is the API over s.
func Service(s *Store) *awsapi.Service {
	service := &awsapi.Service{
		Name: "CloudWatch Logs", Signing: "logs", Target: "Logs_20140328.", JSON: "application/x-amz-json-1.1",
		Operations: map[string]awsapi.Operation{
			"CreateLogGroup":        operation(s.createLogGroup),
			"DeleteLogGroup":        operation(s.deleteLogGroup),
			"PutRetentionPolicy":    operation(s.putRetentionPolicy),
			"DeleteRetentionPolicy": operation(s.deleteRetentionPolicy),
			"ListTagsForResource":   operation(s.listTagsForResource),
			"TagResource":           operation(s.tagResource),
			"UntagResource":         operation(s.untagResource),
			"CreateLogStream":       operation(s.createLogStream),
			"DeleteLogStream":       operation(s.deleteLogStream),
			"DescribeLogGroups":     operation(s.describeLogGroups),
			"DescribeLogStreams":    operation(s.describeLogStreams),
			"PutLogEvents":          operation(s.putLogEvents),
			"GetLogEvents":          operation(s.getLogEvents),
			"FilterLogEvents":       operation(s.filterLogEvents),
		},
	}
	service.Unsupported(unsupported)
	return service
}

// operation is one whose input is an In.
func operation[In any](op func(awsapi.Caller, *In) (any, error)) awsapi.Operation {
	return awsapi.Input(func(_ context.Context, c *awsapi.Call, in *In) (any, error) { return op(c.Caller, in) })
}

// unsupported are the other operations of the API, which are refused by name.
const unsupported = `AssociateKmsKey AssociateSourceToS3TableIntegration CancelExportTask CancelImportTask CreateDelivery CreateExportTask
	CreateImportTask CreateLogAnomalyDetector CreateLookupTable CreateScheduledQuery DeleteAccountPolicy DeleteDataProtectionPolicy
	DeleteDelivery DeleteDeliveryDestination DeleteDeliveryDestinationPolicy DeleteDeliverySource DeleteDestination DeleteIndexPolicy
	DeleteIntegration DeleteLogAnomalyDetector DeleteLookupTable DeleteMetricFilter DeleteQueryDefinition DeleteResourcePolicy
	DeleteScheduledQuery DeleteSubscriptionFilter DeleteTransformer DescribeAccountPolicies DescribeConfigurationTemplates
	DescribeDeliveries DescribeDeliveryDestinations DescribeDeliverySources DescribeDestinations DescribeExportTasks DescribeFieldIndexes
	DescribeImportTaskBatches DescribeImportTasks DescribeIndexPolicies DescribeLookupTables DescribeMetricFilters DescribeQueries
	DescribeQueryDefinitions DescribeResourcePolicies DescribeSubscriptionFilters DisassociateKmsKey
	DisassociateSourceFromS3TableIntegration GetDataProtectionPolicy GetDelivery GetDeliveryDestination GetDeliveryDestinationPolicy
	GetDeliverySource GetIntegration GetLogAnomalyDetector GetLogFields GetLogGroupFields GetLogObject GetLogRecord GetLookupTable
	GetQueryResults GetScheduledQuery GetScheduledQueryHistory GetTransformer ListAggregateLogGroupSummaries ListAnomalies
	ListIntegrations ListLogAnomalyDetectors ListLogGroups ListLogGroupsForQuery ListScheduledQueries ListSourcesForS3TableIntegration
	ListTagsLogGroup PutAccountPolicy PutBearerTokenAuthentication PutDataProtectionPolicy PutDeliveryDestination
	PutDeliveryDestinationPolicy PutDeliverySource PutDestination PutDestinationPolicy PutIndexPolicy PutIntegration
	PutLogGroupDeletionProtection PutMetricFilter PutQueryDefinition PutResourcePolicy PutSubscriptionFilter PutTransformer StartLiveTail
	StartQuery StopQuery TagLogGroup TestMetricFilter TestTransformer UntagLogGroup UpdateAnomaly UpdateDeliveryConfiguration
	UpdateLogAnomalyDetector UpdateLookupTable UpdateScheduledQuery`
