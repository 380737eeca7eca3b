package process

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hydrant-go/hydrant/wire"
)

func TestNewRefuses(t *testing.T) {
	fn := func(namesAndValues ...string) Processor {
		return processor("Lambda", append([]string{"LambdaArn", functionArn}, namesAndValues...)...)
	}
	arn := func(arn string) Processor { return processor("Lambda", "LambdaArn", arn) }
	buffer := func(size, interval string) Processor {
		return fn("BufferSizeInMBs", size, "BufferIntervalInSeconds", interval)
	}
	const (
		count    = "A maximum of 5 and a minimum of 1 processor needs to be supplied when processing is enabled."
		both     = "Both BufferSizeInMBs and BufferIntervalInSeconds are required to configure buffering for lambda processor."
		retries  = "Number of retries for lambda must be between 0 and 300."
		size     = "BufferSizeInMBs for lambda processor must be between 0.2 and 3."
		interval = "BufferIntervalInSeconds for lambda processor must be between 0 and 900."
		engine   = "MetaDataExtraction JSON Parsing Engine has to be one of JQ-1.6"
		subType  = "SubRecordType has to be one of JSON, DELIMITED"
		extract  = "Invalid parameter value for DataMessageExtraction. Allowed values are True and False."
		twice    = "Duplicate ProcessorParameter passed to ProcessingConfiguration."
		badARN   = "Invalid lambda ARN."
	)
	for name, test := range map[string]struct {
		processors []Processor
		want       string // …at the end stands for anything
	}{
		"none":                          {nil, count},
		"six":                           {[]Processor{delimiter, delimiter, delimiter, delimiter, delimiter, delimiter}, count},
		"unknown type":                  {[]Processor{processor("Lamda")}, "Processor type Lamda is not known."},
		"unknown parameter":             {[]Processor{fn("Delimiter", "x")}, "Parameter Delimiter is not one of a Lambda processor, which has LambdaArn, NumberOfRetries, RoleArn, BufferSizeInMBs, BufferIntervalInSeconds."},
		"a parameter twice":             {[]Processor{fn("LambdaArn", "no ARN")}, twice},
		"twice before missing":          {[]Processor{processor("Lambda", "NumberOfRetries", "2", "NumberOfRetries", "3")}, twice},
		"two functions":                 {[]Processor{fn(), fn()}, "Cannot have more than 1 Lambda processor."},
		"two queries":                   {[]Processor{querying("{a: .a}"), querying("{a: .a}")}, "Cannot have more than 1 MetadataExtraction processor."},
		"two splits":                    {[]Processor{byJSON, byHashes}, "Cannot have more than 1 RecordDeAggregation processor."},
		"extraction alone":              {[]Processor{extraction}, "CloudWatchLogProcessingProcessor can only be enabled with DecompressionProcessor"},
		"no ARN":                        {[]Processor{processor("Lambda")}, "LambdaArn is required when Lambda processor is used."},
		"another ARN":                   {[]Processor{arn("arn:aws:iam::123456789012:role/r")}, badARN},
		"a name with a space":           {[]Processor{arn(functionArn + " x")}, badARN},
		"a name with slashes":           {[]Processor{arn(functionArn + "/x")}, badARN},
		"a size alone":                  {[]Processor{fn("BufferSizeInMBs", "1")}, both},
		"an interval alone":             {[]Processor{fn("BufferIntervalInSeconds", "1")}, both},
		"a small size":                  {[]Processor{buffer("0.19", "60")}, size},
		"a large size":                  {[]Processor{buffer("3.01", "60")}, size},
		"no size":                       {[]Processor{buffer("NaN", "60")}, size},
		"a long interval":               {[]Processor{buffer("1", "901")}, interval},
		"half a second":                 {[]Processor{buffer("1", "0.5")}, interval},
		"too many retries":              {[]Processor{fn("NumberOfRetries", "301")}, retries},
		"less than no retries":          {[]Processor{fn("NumberOfRetries", "-1")}, retries},
		"retries that are no number":    {[]Processor{fn("NumberOfRetries", "x")}, retries},
		"another compression":           {[]Processor{processor("Decompression", "CompressionFormat", "ZIP")}, "CompressionFormat has to be GZIP"},
		"compression in lower case":     {[]Processor{processor("Decompression", "CompressionFormat", "gzip")}, "CompressionFormat has to be GZIP"},
		"no extraction":                 {[]Processor{decompression, processor("CloudWatchLogProcessing")}, extract},
		"extraction of maybe":           {[]Processor{decompression, processor("CloudWatchLogProcessing", "DataMessageExtraction", "maybe")}, extract},
		"no sub-record type":            {[]Processor{processor("RecordDeAggregation")}, subType},
		"another sub-record type":       {[]Processor{processor("RecordDeAggregation", "SubRecordType", "json")}, subType},
		"no delimiter":                  {[]Processor{processor("RecordDeAggregation", "SubRecordType", "DELIMITED")}, "Delimiter should be present for DELIMITED"},
		"a delimiter as it is":          {[]Processor{processor("RecordDeAggregation", "SubRecordType", "DELIMITED", "Delimiter", "####")}, `Delimiter "####" is not base64 of a delimiter: #### is IyMjIw==, a newline is Cg==.`},
		"an empty delimiter":            {[]Processor{processor("RecordDeAggregation", "SubRecordType", "DELIMITED", "Delimiter", "")}, `Delimiter "" is not…`},
		"no engine":                     {[]Processor{processor("MetadataExtraction", "MetadataExtractionQuery", "{a: .a}")}, engine},
		"another engine":                {[]Processor{processor("MetadataExtraction", "MetadataExtractionQuery", "{a: .a}", "JsonParsingEngine", "JQ-1.7")}, engine},
		"no query":                      {[]Processor{processor("MetadataExtraction", "JsonParsingEngine", "JQ-1.6")}, "MetadataExtractionQuery is required when MetadataExtraction processor is used."},
		"a query that ends in a middle": {[]Processor{querying("{a: ")}, `MetadataExtractionQuery "{a: " is not a jq query: unexpected EOF.`},
		"a query of unknown functions":  {[]Processor{querying("nonsense(1)")}, `MetadataExtractionQuery "nonsense(1)" is not a jq query: …`},
		"a query with further input":    {[]Processor{querying("input")}, `MetadataExtractionQuery "input" is not…`},
		"a query with modules":          {[]Processor{querying(`import "a" as a; a::f`)}, `MetadataExtractionQuery…`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := New(Config{Processors: test.processors, DynamicPartitioning: true, Lambda: LambdaConfig{Endpoint: "http://localhost:1"}})
			e, ok := errors.AsType[*wire.Error](err)
			if !ok || e.Code != wire.CodeInvalidArgument || e.Status != 400 {
				t.Fatalf("error %v", err)
			}
			if part, open := strings.CutSuffix(test.want, "…"); !open && e.Message != part || !strings.HasPrefix(e.Message, part) {
				t.Errorf("message %q, want %q", e.Message, test.want)
			}
		})
	}
}

func TestNeedsDynamicPartitioning(t *testing.T) {
	for typ, p := range map[string]Processor{"RecordDeAggregation": byJSON, "MetadataExtraction": querying("{a: .a}")} {
		_, err := New(Config{Processors: []Processor{p}})
		e, ok := errors.AsType[*wire.Error](err)
		if want := "class com.amazonaws.services.firehose.internal.model." + typ + "Processor can only be present when Dynamic Partitioning is enabled."; !ok || e.Message != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

func TestNeedsEndpoint(t *testing.T) {
	for _, endpoint := range []string{"", "localhost:9001", "://", "ftp://x"} {
		_, err := New(Config{Processors: []Processor{processor("Lambda", "LambdaArn", functionArn)}, Lambda: LambdaConfig{Endpoint: endpoint}})
		if e, ok := errors.AsType[*wire.Error](err); !ok || e.Code != wire.CodeNotImplemented {
			t.Errorf("%q: %v", endpoint, err)
		}
	}
}

// TestProcessors has what AWS was seen to describe: parameters in an order of
// their own, with their defaults, and none where they have no effect.
func TestProcessors(t *testing.T) {
	const role = "arn:aws:iam::123456789012:role/firehose"
	arn := functionArn + ":$LATEST"
	c, err := New(Config{
		Processors: []Processor{
			processor("Lambda", "BufferIntervalInSeconds", "0", "BufferSizeInMBs", "0.2", "LambdaArn", arn),
			processor("CloudWatchLogProcessing", "DataMessageExtraction", "True"),
			processor("Decompression"),
			processor("Decompression", "CompressionFormat", "GZIP"),
			processor("AppendDelimiterToRecord", "Delimiter", `\n`),
		},
		RoleARN: role,
		Lambda:  LambdaConfig{Endpoint: "http://localhost:1"},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []Processor{
		processor("Lambda", "LambdaArn", arn, "NumberOfRetries", "3", "RoleArn", role, "BufferSizeInMBs", "0.2", "BufferIntervalInSeconds", "0"),
		processor("CloudWatchLogProcessing", "DataMessageExtraction", "true"),
		processor("Decompression", "CompressionFormat", "GZIP"),
		processor("Decompression", "CompressionFormat", "GZIP"),
		{Type: "AppendDelimiterToRecord", Parameters: []Parameter{}},
	}
	got := c.Processors()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	got[0].Parameters[0].Value = "changed"
	if c.Processors()[0].Parameters[0].Value != arn {
		t.Error("the caller's copy is not a copy")
	}
	if size, interval, ok := c.Lambda(); size != int(math.Floor(0.2*(1<<20))) || interval != 0 || !ok {
		t.Errorf("buffer of %d bytes and %v, %v", size, interval, ok)
	}
}

func TestBufferDefaults(t *testing.T) {
	c, err := New(Config{Processors: []Processor{processor("Lambda", "LambdaArn", functionArn)}, Lambda: LambdaConfig{Endpoint: "http://localhost:1"}})
	if err != nil {
		t.Fatal(err)
	}
	if size, interval, ok := c.Lambda(); size != 1<<20 || interval != time.Minute || !ok {
		t.Errorf("buffer of %d bytes and %v, %v", size, interval, ok)
	}
	if _, _, ok := chain(t, byJSON).Lambda(); ok {
		t.Error("a function out of nothing")
	}
}
