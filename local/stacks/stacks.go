// Package stacks is AWS CloudFormation, as far as the stacks of a delivery stream and
// what belongs to it need it, and the part of AWS STS that its clients call.
//
// A resource's way through the source: a call is checked (input.go, deploy.go) and
// makes a stack, a change set (changeset.go) or the next version of a stack, and is
// answered. The stack's goroutine takes it from there, phase by phase, as the stack's
// status says (engine.go): it has the resources made in the order that they need, by
// what their type says (provider.go and the files of the types), and goes back when
// one fails (rollback.go). All of it is written down first (file.go).
//
// What AWS was seen to do is taken from recordings of its answers, mostly the
// snapshots of localstack's tests. Where there was none a comment says so.
package stacks

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/hydrant-go/hydrant/internal/awsapi"
	"github.com/hydrant-go/hydrant/local/logs"
	"github.com/hydrant-go/hydrant/wire"
)

// Config says where stacks are kept and what their resources are made by.
type Config struct {
	// Dir is the folder of the stacks' files, which is made if need be. One store at a
	// time may have it. Empty: all is in memory and goes with the process.
	Dir string
	// Firehose has a control operation of the Firehose run: in is its input in JSON,
	// out its output. Errors are those of the API. Required.
	Firehose func(ctx context.Context, c awsapi.Caller, operation string, in []byte) (out []byte, err error)
	// Logs is where log groups and streams are made. Required.
	Logs Logs
	// Buckets is where buckets are made. Nil: they are only recorded.
	Buckets Buckets
	// Logger gets failures that no caller is told of. Default slog.Default().
	Logger *slog.Logger
}

// Logs is where log groups and streams are: a [logs.Store]. Errors are those of the API of
// CloudWatch Logs.
type Logs interface {
	HasGroup(c awsapi.Caller, name string) bool
	CreateGroup(awsapi.Caller, logs.Group) error
	SetRetention(c awsapi.Caller, name string, days int) error
	SetTags(c awsapi.Caller, name string, tags map[string]string) error
	DeleteGroup(c awsapi.Caller, name string) error
	HasStream(c awsapi.Caller, group, name string) bool
	CreateStream(c awsapi.Caller, group, name string) error
	DeleteStream(c awsapi.Caller, group, name string) error
}

var _ Logs = (*logs.Store)(nil)

// Buckets is where buckets are. Its methods are called from many goroutines.
type Buckets interface {
	HasBucket(ctx context.Context, name string) (bool, error)
	// MakeBucket makes an empty bucket. The error is an fs.ErrExist if it is there.
	MakeBucket(ctx context.Context, name string) error
	// RemoveBucket removes a bucket. The error is an fs.ErrExist if it has objects, an
	// fs.ErrNotExist if there is no such bucket.
	RemoveBucket(ctx context.Context, name string) error
	// EmptyBucket removes all objects of a bucket. No bucket is no error.
	EmptyBucket(ctx context.Context, name string) error
	// ReadObject reads the first bytes of an object, so many at most. The error is an
	// fs.ErrNotExist if there is none.
	ReadObject(ctx context.Context, bucket, key string, most int64) ([]byte, error)
}

// Store is the stacks of all accounts and regions. Its methods may be called from many
// goroutines. Close it.
type Store struct {
	cfg Config
	log *slog.Logger

	work   context.Context // of all that changes stacks
	cancel context.CancelCauseFunc
	done   sync.WaitGroup // of the stacks' goroutines; added to under mu, while it is not closed

	mu     sync.Mutex // guards the fields below, and the stacks; never held over I/O
	closed bool
	stacks map[string]*stack   // by id
	names  map[stackKey]*stack // of those that are not deleted
}

type stackKey struct {
	awsapi.Caller
	name string
}

// errStopped is why a stack's goroutine stops in the middle: the process ends, or all
// stacks are removed.
var errStopped = errors.New("the local CloudFormation has been stopped")

// Open opens a store with what its folder holds. An operation that was under way when
// the last one ended is not finished: what it has begun is rolled back, a deletion goes
// on. That begins with Start.
func Open(cfg Config) (*Store, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	s := &Store{cfg: cfg, log: cfg.Logger, stacks: map[string]*stack{}, names: map[stackKey]*stack{}}
	s.work, s.cancel = context.WithCancelCause(context.Background())
	if err := s.load(); err != nil {
		return nil, err
	}
	return s, nil
}

// Start goes on with what was under way. Everything that resources are made by must
// work now.
func (s *Store) Start() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, st := range s.stacks {
		st.interruptedLocked()
		s.driveLocked(st)
	}
}

// Close stops what is under way where it is, as a crash would, and waits for it.
// Further calls are refused. A second Close does nothing.
func (s *Store) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.cancel(errStopped)
	s.done.Wait()
	return nil
}

// Reset forgets all stacks, and leaves what they have made.
func (s *Store) Reset() error {
	s.mu.Lock()
	forgotten := map[*stack]<-chan struct{}{}
	for _, st := range s.stacks {
		s.forgetLocked(st)
		forgotten[st] = st.rest
	}
	s.mu.Unlock()
	var errs []error
	for st, rest := range forgotten {
		if rest != nil {
			<-rest
		}
		errs = append(errs, s.removeFile(st))
	}
	return errors.Join(errs...)
}

// Codes of CloudFormation's errors.
const (
	codeValidation      = "ValidationError"
	codeExists          = "AlreadyExistsException"
	codeCapabilities    = "InsufficientCapabilitiesException"
	codeLimit           = "LimitExceededException"
	codeToken           = "TokenAlreadyExistsException"
	codeNoChangeSet     = "ChangeSetNotFound"
	codeChangeSetStatus = "InvalidChangeSetStatus"
)

func invalid(format string, args ...any) error { return wire.Errorf(codeValidation, format, args...) }

var errClosed = &wire.Error{Status: 503, Code: wire.CodeServiceUnavailable, Message: "The local CloudFormation has been shut down."}

// Service is the API of CloudFormation over s, in the Query protocol.
func Service(s *Store) *awsapi.Service {
	service := &awsapi.Service{
		Name: "CloudFormation", Signing: "cloudformation",
		Version: "2010-05-15", Namespace: "http://cloudformation.amazonaws.com/doc/2010-05-15/",
		Operations: map[string]awsapi.Operation{
			"CancelUpdateStack":           operation(s.cancelUpdateStack),
			"ContinueUpdateRollback":      operation(s.continueUpdateRollback),
			"CreateChangeSet":             operation(s.createChangeSet),
			"CreateStack":                 operation(s.createStack),
			"DeleteChangeSet":             operation(s.deleteChangeSet),
			"DeleteStack":                 operation(s.deleteStack),
			"DescribeChangeSet":           operation(s.describeChangeSet),
			"DescribeStackEvents":         operation(s.describeStackEvents),
			"DescribeStackResource":       operation(s.describeStackResource),
			"DescribeStackResources":      operation(s.describeStackResources),
			"DescribeStacks":              operation(s.describeStacks),
			"ExecuteChangeSet":            operation(s.executeChangeSet),
			"GetTemplate":                 operation(s.getTemplate),
			"GetTemplateSummary":          operation(s.getTemplateSummary),
			"ListChangeSets":              operation(s.listChangeSets),
			"ListExports":                 operation(s.listExports),
			"ListStackResources":          operation(s.listStackResources),
			"ListStacks":                  operation(s.listStacks),
			"RollbackStack":               operation(s.rollbackStack),
			"UpdateStack":                 operation(s.updateStack),
			"UpdateTerminationProtection": operation(s.updateTerminationProtection),
			"ValidateTemplate":            operation(s.validateTemplate),
		},
	}
	service.Unsupported(unsupported)
	return service
}

// operation is one whose input is an In.
func operation[In any](op func(context.Context, awsapi.Caller, *In) (any, error)) awsapi.Operation {
	return awsapi.Input(func(ctx context.Context, c *awsapi.Call, in *In) (any, error) { return op(ctx, c.Caller, in) })
}

// unsupported are the other operations of the API, which are refused by name.
const unsupported = `ActivateOrganizationsAccess ActivateType BatchDescribeTypeConfigurations CreateGeneratedTemplate CreateStackInstances
	CreateStackRefactor CreateStackSet DeactivateOrganizationsAccess DeactivateType DeleteGeneratedTemplate DeleteStackInstances
	DeleteStackSet DeregisterType DescribeAccountLimits DescribeChangeSetHooks DescribeEvents DescribeGeneratedTemplate
	DescribeOrganizationsAccess DescribePublisher DescribeResourceScan DescribeStackDriftDetectionStatus DescribeStackInstance
	DescribeStackRefactor DescribeStackResourceDrifts DescribeStackSet DescribeStackSetOperation DescribeType
	DescribeTypeRegistration DetectStackDrift DetectStackResourceDrift DetectStackSetDrift EstimateTemplateCost ExecuteStackRefactor
	GetGeneratedTemplate GetHookResult GetStackPolicy ImportStacksToStackSet ListGeneratedTemplates ListHookResults ListImports
	ListResourceScanRelatedResources ListResourceScanResources ListResourceScans ListStackInstanceResourceDrifts ListStackInstances
	ListStackRefactorActions ListStackRefactors ListStackSetAutoDeploymentTargets ListStackSetOperationResults
	ListStackSetOperations ListStackSets ListTypeRegistrations ListTypeVersions ListTypes PublishType RecordHandlerProgress
	RegisterPublisher RegisterType SetStackPolicy SetTypeConfiguration SetTypeDefaultVersion SignalResource StartResourceScan
	StopStackSetOperation TestType UpdateGeneratedTemplate UpdateStackInstances UpdateStackSet`

func now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }

func deref[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}
