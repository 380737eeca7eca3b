package process

import (
	"encoding/base64"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/hydrant-go/hydrant/wire"
)

// Config is a stream's processors and what they need.
type Config struct {
	// Processors are those of a ProcessingConfiguration that is enabled.
	Processors []Processor
	// StreamARN and Region are the stream's; a Lambda function gets them.
	StreamARN string
	Region    string
	// RoleARN is the destination's. A Lambda processor that names no role is
	// described with it; it has no other effect.
	RoleARN string
	// DynamicPartitioning is the stream's: without it there may be no processor
	// that needs it, and partition keys from a function are not looked at.
	DynamicPartitioning bool
	// Lambda says where functions are. Default: nowhere, and a Lambda processor
	// is refused.
	Lambda LambdaConfig
	// Invoked, if not nil, is told of each invocation that has ended, whether tried
	// again or not: how long it took, and whether the function has answered. Queried is
	// told how long a query took for the records of a Run. Both are called from the
	// goroutine of Run.
	Invoked func(took time.Duration, answered bool)
	Queried func(took time.Duration)
	// Logger gets what the error output won't tell: why an invocation failed
	// that is tried again. Default slog.Default().
	Logger *slog.Logger
}

// Processor is a processor in the API's terms.
type Processor struct {
	Type       string
	Parameters []Parameter
}

// Parameter is a ProcessorParameter in the API's terms.
type Parameter struct{ Name, Value string }

// LambdaConfig says how Lambda's Invoke API is called.
type LambdaConfig struct {
	// Endpoint is the API's, such as http://localhost:9001 or
	// https://lambda.eu-west-1.amazonaws.com. One whose path ends in
	// /invocations is called as it is, whatever the function: Lambda's runtime
	// interface emulator has http://HOST:PORT/2015-03-31/functions/function/invocations.
	Endpoint string
	// Credentials sign the calls. Default: none, and calls are not signed.
	Credentials aws.CredentialsProvider
	// HTTPClient makes the calls. Default http.DefaultClient.
	HTTPClient aws.HTTPClient
	// Timeout is how long an invocation may take. Default 5 minutes, as with
	// AWS (developer guide, duration of a Lambda invocation).
	Timeout time.Duration
	// RetryWait is the wait before the first retry. It doubles with each one up
	// to 16 times itself, and is 15 % more or less by chance. Default 2 seconds:
	// AWS was seen to end the last of four attempts 17 to 29 seconds after the
	// end of a buffer of 60. How it waits is not known.
	RetryWait time.Duration
}

const maxProcessors = 5

// known is the types of processors and their parameters (API reference,
// Processor and ProcessorParameter; the latter does not say which belong to
// which, the developer guide and the CDK do).
var known = map[string][]string{
	"Decompression":           {"CompressionFormat"},
	"CloudWatchLogProcessing": {"DataMessageExtraction"},
	"RecordDeAggregation":     {"SubRecordType", "Delimiter"},
	"Lambda":                  {"LambdaArn", "NumberOfRetries", "RoleArn", "BufferSizeInMBs", "BufferIntervalInSeconds"},
	"MetadataExtraction":      {"MetadataExtractionQuery", "JsonParsingEngine"},
	"AppendDelimiterToRecord": nil,
}

// New makes a chain. A configuration that can't be is refused by a [*wire.Error]:
// in the service's words where those are known, and they are for most. Unlike
// here, AWS was seen to accept a query that it can't compile, and to fail every
// record then.
func New(cfg Config) (*Chain, error) {
	if n := len(cfg.Processors); n < 1 || n > maxProcessors {
		return nil, invalid("A maximum of 5 and a minimum of 1 processor needs to be supplied when processing is enabled.")
	}
	types := map[string]int{}
	for _, p := range cfg.Processors {
		if err := checkNames(p); err != nil {
			return nil, err
		}
		types[p.Type]++
	}
	if err := checkTypes(types, cfg.DynamicPartitioning); err != nil {
		return nil, err
	}
	b := builder{cfg: cfg}
	for _, p := range cfg.Processors {
		if err := b.add(p); err != nil {
			return nil, err
		}
	}
	return b.chain(), nil
}

// invalid is AWS's error for what it does not take. A text that ends without a
// full stop and one that ends with it are both AWS's; ours have one.
func invalid(format string, args ...any) error {
	return wire.Errorf(wire.CodeInvalidArgument, format, args...)
}

// checkNames comes before any value is looked at: so does AWS.
func checkNames(p Processor) error {
	names, ok := known[p.Type]
	if !ok {
		return invalid("Processor type %s is not known.", p.Type)
	}
	seen := map[string]bool{}
	for _, param := range p.Parameters {
		if seen[param.Name] {
			return invalid("Duplicate ProcessorParameter passed to ProcessingConfiguration.")
		}
		seen[param.Name] = true
		if names != nil && !slices.Contains(names, param.Name) {
			return invalid("Parameter %s is not one of a %s processor, which has %s.", param.Name, p.Type, strings.Join(names, ", "))
		}
	}
	return nil
}

// checkTypes looks at what must and must not be together. AWS was seen to take
// Decompression, CloudWatchLogProcessing and AppendDelimiterToRecord more than
// once and to apply each once; of the other two that is not known.
func checkTypes(n map[string]int, dynamicPartitioning bool) error {
	for _, typ := range []string{"RecordDeAggregation", "MetadataExtraction"} {
		if n[typ] > 0 && !dynamicPartitioning {
			return invalid("class com.amazonaws.services.firehose.internal.model.%sProcessor can only be present when Dynamic Partitioning is enabled.", typ)
		}
		if n[typ] > 1 {
			return invalid("Cannot have more than 1 %s processor.", typ)
		}
	}
	if n["Lambda"] > 1 {
		return invalid("Cannot have more than 1 Lambda processor.")
	}
	if n["CloudWatchLogProcessing"] > 0 && n["Decompression"] == 0 {
		return invalid("CloudWatchLogProcessingProcessor can only be enabled with DecompressionProcessor")
	}
	return nil
}

// builder collects what processors say, in their order, for a chain that has an
// order of its own.
type builder struct {
	cfg        Config
	out        Chain
	decompress bool
	extract    bool
	split      func([]byte) [][]byte
}

func (b *builder) add(p Processor) error {
	value := map[string]string{}
	for _, param := range p.Parameters {
		value[param.Name] = param.Value
	}
	var params []Parameter // as they are described
	var err error
	switch p.Type {
	case "Decompression":
		params, err = b.addDecompression(value)
	case "CloudWatchLogProcessing":
		params, err = b.addExtraction(value)
	case "RecordDeAggregation":
		params, err = p.Parameters, b.addSplit(value)
	case "Lambda":
		params, err = b.addLambda(value)
	case "MetadataExtraction":
		params, err = p.Parameters, b.addQuery(value)
	case "AppendDelimiterToRecord": // whatever its parameters: AWS forgets them
		b.out.delimiter = []byte("\n")
	}
	b.out.processors = append(b.out.processors, Processor{Type: p.Type, Parameters: params})
	return err
}

func (b *builder) addDecompression(value map[string]string) ([]Parameter, error) {
	if format, ok := value["CompressionFormat"]; ok && format != "GZIP" {
		return nil, invalid("CompressionFormat has to be GZIP")
	}
	b.decompress = true
	return []Parameter{{"CompressionFormat", "GZIP"}}, nil
}

func (b *builder) addExtraction(value map[string]string) ([]Parameter, error) {
	extract := strings.ToLower(value["DataMessageExtraction"])
	if extract != "true" && extract != "false" {
		return nil, invalid("Invalid parameter value for DataMessageExtraction. Allowed values are True and False.")
	}
	b.extract = b.extract || extract == "true"
	return []Parameter{{"DataMessageExtraction", extract}}, nil
}

func (b *builder) addSplit(value map[string]string) error {
	switch value["SubRecordType"] {
	case "JSON":
		b.split = splitJSON
	case "DELIMITED":
		text, ok := value["Delimiter"]
		if !ok {
			return invalid("Delimiter should be present for DELIMITED")
		}
		delimiter, err := base64.StdEncoding.DecodeString(text)
		if err != nil || len(delimiter) == 0 {
			return invalid("Delimiter %q is not base64 of a delimiter: #### is IyMjIw==, a newline is Cg==.", text)
		}
		b.split = splitDelimited(delimiter)
	default:
		return invalid("SubRecordType has to be one of JSON, DELIMITED")
	}
	return nil
}

func (b *builder) addQuery(value map[string]string) error {
	if value["JsonParsingEngine"] != "JQ-1.6" {
		return invalid("MetaDataExtraction JSON Parsing Engine has to be one of JQ-1.6")
	}
	text := value["MetadataExtractionQuery"]
	if strings.TrimSpace(text) == "" {
		return invalid("MetadataExtractionQuery is required when MetadataExtraction processor is used.")
	}
	query, err := newQuery(text)
	if err != nil {
		return invalid("MetadataExtractionQuery %q is not a jq query: %v.", text, err)
	}
	b.out.query = query
	return nil
}

// functionARN is what AWS takes, as far as that was seen: it refuses other
// characters in the name and takes a function that does not exist.
var functionARN = regexp.MustCompile(`^arn:aws[a-zA-Z-]*:lambda:([a-z0-9-]+):\d{12}:function:[a-zA-Z0-9_-]{1,64}(:(\$LATEST|[a-zA-Z0-9_-]{1,128}))?$`)

func (b *builder) addLambda(value map[string]string) ([]Parameter, error) {
	arn := value["LambdaArn"]
	if arn == "" {
		return nil, invalid("LambdaArn is required when Lambda processor is used.")
	}
	parts := functionARN.FindStringSubmatch(arn)
	if parts == nil {
		return nil, invalid("Invalid lambda ARN.")
	}
	_, size := value["BufferSizeInMBs"]
	_, interval := value["BufferIntervalInSeconds"]
	if size != interval {
		return nil, invalid("Both BufferSizeInMBs and BufferIntervalInSeconds are required to configure buffering for lambda processor.")
	}
	defaults := map[string]string{"NumberOfRetries": "3", "RoleArn": b.cfg.RoleARN, "BufferSizeInMBs": "1", "BufferIntervalInSeconds": "60"}
	var params []Parameter
	for _, name := range known["Lambda"] {
		if _, ok := value[name]; !ok {
			value[name] = defaults[name]
		}
		params = append(params, Parameter{name, value[name]})
	}
	l := &lambda{arn: arn, region: parts[1], cfg: b.cfg}
	if err := l.readNumbers(value); err != nil {
		return nil, err
	}
	if err := l.readEndpoint(); err != nil {
		return nil, err
	}
	b.out.lambda = l
	return params, nil
}

func (l *lambda) readNumbers(value map[string]string) error {
	retries, err := strconv.Atoi(value["NumberOfRetries"])
	if err != nil || retries < 0 || retries > 300 {
		return invalid("Number of retries for lambda must be between 0 and 300.")
	}
	megabytes, err := strconv.ParseFloat(value["BufferSizeInMBs"], 64)
	if err != nil || !(megabytes >= 0.2 && megabytes <= 3) { // not a number is neither
		return invalid("BufferSizeInMBs for lambda processor must be between 0.2 and 3.")
	}
	seconds, err := strconv.Atoi(value["BufferIntervalInSeconds"])
	if err != nil || seconds < 0 || seconds > 900 {
		return invalid("BufferIntervalInSeconds for lambda processor must be between 0 and 900.")
	}
	l.retries, l.size, l.interval = retries, int(megabytes*(1<<20)), time.Duration(seconds)*time.Second
	return nil
}

// notImplemented is an error that no client's SDK tries again (HTTP 501).
func notImplemented(format string, args ...any) error {
	err := wire.Errorf(wire.CodeNotImplemented, format, args...)
	err.Status = http.StatusNotImplemented
	return err
}

func (l *lambda) readEndpoint() error {
	c := &l.cfg.Lambda
	if c.Endpoint == "" {
		return notImplemented("There is no Lambda service to invoke %s: name the endpoint of one.", l.arn)
	}
	u, err := url.Parse(c.Endpoint)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return notImplemented("The endpoint %q of Lambda is no URL such as http://localhost:9001.", c.Endpoint)
	}
	l.endpoint, l.signer, l.log = u, v4.NewSigner(), l.cfg.Logger
	if c.HTTPClient == nil {
		c.HTTPClient = http.DefaultClient
	}
	if c.Timeout <= 0 {
		c.Timeout = 5 * time.Minute
	}
	if c.RetryWait <= 0 {
		c.RetryWait = 2 * time.Second
	}
	if l.log == nil {
		l.log = slog.Default()
	}
	return nil
}

// chain puts the stages into the order of the package comment.
func (b *builder) chain() *Chain {
	c := &b.out
	add := func(present bool, s stage) {
		if present {
			c.stages = append(c.stages, s)
		}
	}
	add(b.decompress, each(decompress))
	add(b.extract, each(extract))
	add(b.split != nil, splitting(b.split, b.decompress))
	if c.lambda != nil {
		c.stages = append(c.stages, c.lambda.run)
	}
	if c.query != nil {
		c.stages = append(c.stages, timed(each(c.query.run), b.cfg.Queried))
	}
	return c
}
