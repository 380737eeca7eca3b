package server

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

// Members that every S3 destination has.
const (
	role   = "arn:aws:iam::000000000000:role/r"
	bucket = "arn:aws:s3:::b"
	arns   = `"RoleARN":"` + role + `","BucketARN":"` + bucket + `"`
)

// What messages of refusals have in common.
const (
	at          = "ValidationException: 1 validation error detected: Value "
	must        = " failed to satisfy constraint: Member must "
	argument    = "InvalidArgumentException: "
	unsupported = argument + "The local Firehose does not support "
	here        = "ExtendedS3DestinationConfiguration."
)

func basicS3() *S3Destination {
	return &S3Destination{RoleARN: role, BucketARN: bucket, SizeInMBs: 5, IntervalInSeconds: 300, CompressionFormat: "UNCOMPRESSED", BackupMode: "Disabled"}
}

func basicHTTP() *HTTPDestination {
	return &HTTPDestination{URL: "https://example.com/in", SizeInMBs: 5, IntervalInSeconds: 300, RetrySeconds: 300, BackupMode: "FailedDataOnly", S3: *basicS3()}
}

// with is a copy of d that f has changed.
func with[T any](d *T, f func(*T)) *T {
	c := *d
	f(&c)
	return &c
}

// A complete configuration of each kind; the extended one has every member that
// the API has, but those that exclude each other.
const (
	// Every member of the conversion of the first pair of formats.
	conversion = `{"SchemaConfiguration":{"RoleARN":"` + role + `","CatalogId":"1","DatabaseName":"db","TableName":"t","Region":"eu-west-1","VersionId":"LATEST"},
		"InputFormatConfiguration":{"Deserializer":{"OpenXJsonSerDe":{"ConvertDotsInJsonKeysToUnderscores":true,"CaseInsensitive":false,"ColumnToJsonKeyMappings":{"ts":"timestamp"}}}},
		"OutputFormatConfiguration":{"Serializer":{"ParquetSerDe":{"BlockSizeBytes":67108864,"PageSizeBytes":65536,"Compression":"GZIP","EnableDictionaryCompression":true,"MaxPaddingBytes":0,"WriterVersion":"V2"}}}}`
	lambda = `{"Type":"Lambda","Parameters":[{"ParameterName":"BufferIntervalInSeconds","ParameterValue":"70"},{"ParameterName":"BufferSizeInMBs","ParameterValue":"0.2"},
		{"ParameterName":"LambdaArn","ParameterValue":"arn:aws:lambda:us-east-1:000000000000:function:f"}]}`
	fullExtended = `{` + arns + `,"Prefix":"a/!{partitionKeyFromQuery:k}/!{timestamp:yyyy}/","ErrorOutputPrefix":"e/!{firehose:error-output-type}/",
		"BufferingHints":{"SizeInMBs":64,"IntervalInSeconds":60},"CompressionFormat":"UNCOMPRESSED","EncryptionConfiguration":{"KMSEncryptionConfig":{"AWSKMSKeyARN":"arn:aws:kms:us-east-1:000000000000:alias/k"}},
		"CloudWatchLoggingOptions":{"Enabled":true,"LogGroupName":"/aws/g","LogStreamName":"S3 Delivery"},
		"ProcessingConfiguration":{"Enabled":true,"Processors":[` + lambda + `,{"Type":"MetadataExtraction","Parameters":[{"ParameterName":"MetadataExtractionQuery","ParameterValue":"{k:.k}"},{"ParameterName":"JsonParsingEngine","ParameterValue":"JQ-1.6"}]},
			{"Type":"AppendDelimiterToRecord","Parameters":[{"ParameterName":"Delimiter","ParameterValue":"\\n"}]}]},
		"S3BackupMode":"Enabled","S3BackupConfiguration":{` + arns + `,"Prefix":"b/","BufferingHints":{"SizeInMBs":1,"IntervalInSeconds":60},"CompressionFormat":"ZIP"},
		"DataFormatConversionConfiguration":` + conversion + `,"DynamicPartitioningConfiguration":{"Enabled":true,"RetryOptions":{"DurationInSeconds":0}},
		"FileExtension":".log","CustomTimeZone":"Europe/Berlin"}`
	fullHTTPJSON = `{"EndpointConfiguration":{"Url":"https://example.com/in","Name":"n","AccessKey":"geheim"},"BufferingHints":{"SizeInMBs":64,"IntervalInSeconds":0},
		"CloudWatchLoggingOptions":{"Enabled":true,"LogGroupName":"g","LogStreamName":"s"},"RequestConfiguration":{"ContentEncoding":"GZIP","CommonAttributes":[{"AttributeName":"a","AttributeValue":""},{"AttributeName":"b","AttributeValue":"v"}]},
		"ProcessingConfiguration":{"Enabled":true,"Processors":[{"Type":"Lambda","Parameters":[{"ParameterName":"LambdaArn","ParameterValue":"arn:aws:lambda:us-east-1:000000000000:function:f"}]}]},
		"RoleARN":"` + role + `","RetryOptions":{"DurationInSeconds":7200},"S3BackupMode":"AllData","S3Configuration":{` + arns + `,"Prefix":"b/","CompressionFormat":"GZIP"},
		"SecretsManagerConfiguration":{"Enabled":true,"SecretARN":"arn:aws:secretsmanager:us-east-1:000000000000:secret:s","RoleARN":"` + role + `"}}`
)

func fullS3Destination() *S3Destination {
	no, yes, zero := false, true, 0
	return &S3Destination{
		RoleARN: role, BucketARN: bucket, Prefix: "a/!{partitionKeyFromQuery:k}/!{timestamp:yyyy}/", ErrorOutputPrefix: "e/!{firehose:error-output-type}/",
		SizeInMBs: 64, IntervalInSeconds: 60, CompressionFormat: "UNCOMPRESSED", KMSKeyARN: "arn:aws:kms:us-east-1:000000000000:alias/k", Logging: Logging{true, "/aws/g", "S3 Delivery"},
		FileExtension: ".log", CustomTimeZone: "Europe/Berlin",
		Processing: &Processing{true, []Processor{
			{"Lambda", []Parameter{
				{"LambdaArn", "arn:aws:lambda:us-east-1:000000000000:function:f"}, {"NumberOfRetries", "3"}, {"RoleArn", role}, {"BufferSizeInMBs", "0.2"}, {"BufferIntervalInSeconds", "70"},
			}},
			{"MetadataExtraction", []Parameter{{"MetadataExtractionQuery", "{k:.k}"}, {"JsonParsingEngine", "JQ-1.6"}}},
			{"AppendDelimiterToRecord", nil},
		}},
		BackupMode: "Enabled",
		Backup:     &S3Destination{RoleARN: role, BucketARN: bucket, Prefix: "b/", SizeInMBs: 1, IntervalInSeconds: 60, CompressionFormat: "ZIP", BackupMode: "Disabled"},
		Conversion: &Conversion{
			true,
			&SchemaConfiguration{role, "1", "db", "t", "eu-west-1", "LATEST"},
			&InputFormatConfiguration{&Deserializer{OpenXJsonSerDe: &OpenXJsonSerDe{&yes, &no, map[string]string{"ts": "timestamp"}}}},
			&OutputFormatConfiguration{&Serializer{ParquetSerDe: &ParquetSerDe{new(64 << 20), new(64 << 10), "GZIP", &yes, &zero, "V2"}}},
		},
		Partitioning: &Partitioning{true, 0},
	}
}

func fullHTTPDestination() *HTTPDestination {
	return &HTTPDestination{
		URL: "https://example.com/in", Name: "n", AccessKey: "geheim", SizeInMBs: 64, IntervalInSeconds: 0, Logging: Logging{true, "g", "s"},
		ContentEncoding: "GZIP", CommonAttributes: []Attribute{{"a", ""}, {"b", "v"}},
		Processing: &Processing{true, []Processor{{"Lambda", []Parameter{
			{"LambdaArn", "arn:aws:lambda:us-east-1:000000000000:function:f"}, {"NumberOfRetries", "3"}, {"RoleArn", role}, {"BufferSizeInMBs", "1"}, {"BufferIntervalInSeconds", "60"},
		}}}},
		RoleARN: role, RetrySeconds: 7200, BackupMode: "AllData",
		S3:      *with(basicS3(), func(d *S3Destination) { d.Prefix, d.CompressionFormat = "b/", "GZIP" }),
		Secrets: &SecretsManager{true, "arn:aws:secretsmanager:us-east-1:000000000000:secret:s", role},
	}
}

func TestDecodeCreate(t *testing.T) {
	orc := `{"SchemaConfiguration":{"RoleARN":"r","DatabaseName":"d","TableName":"t"},"InputFormatConfiguration":{"Deserializer":{"HiveJsonSerDe":{"TimestampFormats":["millis"]}}},
		"OutputFormatConfiguration":{"Serializer":{"OrcSerDe":{"StripeSizeBytes":8388608,"BlockSizeBytes":67108864,"RowIndexStride":1000,"EnablePadding":true,"PaddingTolerance":0,"Compression":"ZLIB",
		"BloomFilterColumns":["c"],"BloomFilterFalsePositiveProbability":1,"DictionaryKeyThreshold":0.5,"FormatVersion":"V0_11"}}}}`
	orcS3 := with(basicS3(), func(d *S3Destination) {
		d.SizeInMBs = 128
		d.Conversion = &Conversion{
			true, &SchemaConfiguration{RoleARN: "r", DatabaseName: "d", TableName: "t"},
			&InputFormatConfiguration{&Deserializer{HiveJsonSerDe: &HiveJsonSerDe{[]string{"millis"}}}},
			&OutputFormatConfiguration{&Serializer{OrcSerDe: &OrcSerDe{
				new(8 << 20), new(64 << 20), new(1000), new(true), new(0.0), "ZLIB", []string{"c"}, new(1.0), new(0.5), "V0_11",
			}}},
		}
	})
	s3 := func(d *S3Destination) CreateDeliveryStreamInput {
		return CreateDeliveryStreamInput{DeliveryStreamName: "s", Destination: Destination{S3: d}}
	}
	basic := s3(basicS3())
	off := with(basicS3(), func(d *S3Destination) {
		d.Logging = Logging{Group: "g"}
		d.Processing, d.Conversion, d.Partitioning = &Processing{}, &Conversion{}, &Partitioning{RetrySeconds: 300}
	})
	for _, tt := range []struct {
		what, body string
		want       CreateDeliveryStreamInput
	}{
		{"extended", creation("s", ""), basic},
		{"plain", `{"DeliveryStreamName":"s","S3DestinationConfiguration":{` + arns + `}}`, basic},
		{"null is absent", `{"DeliveryStreamName":"s","S3DestinationConfiguration":null,"Tags":null,"ExtendedS3DestinationConfiguration":{` + arns + `,"ProcessingConfiguration":null,"Prefix":null,"BufferingHints":null}}`, basic},
		{"what is off", creation("s", `,"BufferingHints":{},"S3BackupMode":"Disabled","EncryptionConfiguration":{"NoEncryptionConfig":"NoEncryption"},"CloudWatchLoggingOptions":{"Enabled":false,"LogGroupName":"g"},
			"ProcessingConfiguration":{"Enabled":false,"Processors":[]},"DataFormatConversionConfiguration":{"Enabled":false},"DynamicPartitioningConfiguration":{}`), s3(off)},
		{"everything", `{"DeliveryStreamName":"s","ExtendedS3DestinationConfiguration":` + fullExtended + `}`, s3(fullS3Destination())},
		{"conversion to ORC, which is on by default, with a larger buffer", creation("s", `,"DataFormatConversionConfiguration":`+orc), s3(orcS3)},
		{"an expression", creation("s", `,"Prefix":"y=!{timestamp:yyyy}/","ErrorOutputPrefix":"/e//"`), s3(with(basicS3(), func(d *S3Destination) {
			d.Prefix, d.ErrorOutputPrefix = "y=!{timestamp:yyyy}/", "/e//"
		}))},
		{
			"a processor with less, and one with more", creation("s", `,"ProcessingConfiguration":{"Processors":[{"Type":"RecordDeAggregation"},{"Type":"Lambda","Parameters":[
			{"ParameterName":"SubRecordType","ParameterValue":"x"},{"ParameterName":"NumberOfRetries","ParameterValue":"0"},{"ParameterName":"RoleArn","ParameterValue":"other"},{"ParameterName":"LambdaArn","ParameterValue":"l"}]}]}`),
			s3(with(basicS3(), func(d *S3Destination) {
				d.Processing = &Processing{false, []Processor{{"RecordDeAggregation", nil}, {"Lambda", []Parameter{
					{"LambdaArn", "l"}, {"NumberOfRetries", "0"}, {"RoleArn", "other"}, {"BufferSizeInMBs", "1"}, {"BufferIntervalInSeconds", "60"}, {"SubRecordType", "x"},
				}}}}
			})),
		},
		{
			"an endpoint", `{"DeliveryStreamName":"s","HttpEndpointDestinationConfiguration":{"EndpointConfiguration":{"Url":"https://example.com/in"},"S3Configuration":{` + arns + `}}}`,
			CreateDeliveryStreamInput{DeliveryStreamName: "s", Destination: Destination{HTTP: basicHTTP()}},
		},
		{
			"an endpoint with everything", `{"DeliveryStreamName":"s","HttpEndpointDestinationConfiguration":` + fullHTTPJSON + `}`,
			CreateDeliveryStreamInput{DeliveryStreamName: "s", Destination: Destination{HTTP: fullHTTPDestination()}},
		},
		{
			"an endpoint without a role", `{"DeliveryStreamName":"s","HttpEndpointDestinationConfiguration":{"EndpointConfiguration":{"Url":"https://example.com/in"},"RequestConfiguration":{"CommonAttributes":[]},"S3Configuration":{` + arns + `},
			"ProcessingConfiguration":{"Processors":[{"Type":"Lambda","Parameters":[{"ParameterName":"LambdaArn","ParameterValue":"l"}]}]}}}`,
			CreateDeliveryStreamInput{DeliveryStreamName: "s", Destination: Destination{HTTP: with(basicHTTP(), func(d *HTTPDestination) {
				d.Processing = &Processing{false, []Processor{{"Lambda", []Parameter{{"LambdaArn", "l"}, {"NumberOfRetries", "3"}, {"BufferSizeInMBs", "1"}, {"BufferIntervalInSeconds", "60"}}}}}
			})}},
		},
		{
			"what is beside the destination", `{"DeliveryStreamName":"s","DeliveryStreamType":"DirectPut","DirectPutSourceConfiguration":{"ThroughputHintInMBs":100},
			"DeliveryStreamEncryptionConfigurationInput":{"KeyType":"CUSTOMER_MANAGED_CMK","KeyARN":"arn:aws:kms:us-east-1:000000000000:key/k"},
			"Tags":[{"Key":"a","Value":"1"},{"Key":"b"},{"Key":"a","Value":"2 ü/=+-@%:"}],"S3DestinationConfiguration":{` + arns + `}}`,
			CreateDeliveryStreamInput{"s", Destination{S3: basicS3()}, &Encryption{KeyType: "CUSTOMER_MANAGED_CMK", KeyARN: "arn:aws:kms:us-east-1:000000000000:key/k"}, []Tag{{"b", ""}, {"a", "2 ü/=+-@%:"}}, 100},
		},
	} {
		got, err := (&server{}).decodeCreate([]byte(tt.body))
		if diff := gocmp.Diff(&tt.want, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got)\n%s", tt.what, err, diff)
			continue
		}
		checkKept(t, got.Destination)
	}
}

// checkKept checks that a backend gets back from a file what it has written, so
// that an update which changes nothing is known as such.
func checkKept(t *testing.T, d Destination) {
	t.Helper()
	text, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	var back Destination
	if err := json.Unmarshal(text, &back); err != nil || !reflect.DeepEqual(d, back) {
		t.Errorf("kept as %s: %v (-want +got)\n%s", text, err, gocmp.Diff(d, back))
	}
}

func plainCreation(more string) string {
	return `{"DeliveryStreamName":"x",` + more + `"S3DestinationConfiguration":{` + arns + `}}`
}

func httpCreation(more string) string {
	return `{"DeliveryStreamName":"x","HttpEndpointDestinationConfiguration":{"EndpointConfiguration":{"Url":"https://h"},"S3Configuration":{` + arns + `}` + more + `}}`
}

func converting(more, conversion string) string {
	return creation("x", more+`,"DataFormatConversionConfiguration":`+conversion)
}

func processing(enabled bool, processors ...string) string {
	text, _ := json.Marshal(enabled)
	return creation("x", `,"ProcessingConfiguration":{"Enabled":`+string(text)+`,"Processors":[`+strings.Join(processors, ",")+`]}`)
}

// partitioned is a stream with what dynamic partitioning needs, and more.
func partitioned(more string) string {
	return creation("x", `,"DynamicPartitioningConfiguration":{"Enabled":true},"Prefix":"!{partitionKeyFromLambda:k}/"`+more)
}

func parameter(name, value string) string {
	text, _ := json.Marshal(value)
	return `{"ParameterName":"` + name + `","ParameterValue":` + string(text) + `}`
}

func TestCreateRefusals(t *testing.T) {
	const (
		exactly  = argument + "Exactly one destination configuration is supported for a Firehose"
		extended = "'extendedS3DestinationConfiguration."
		endpoint = "'httpEndpointDestinationConfiguration."
		onP      = `,"ProcessingConfiguration":{"Enabled":true,"Processors":[` + lambda + `]}`
		large    = `,"BufferingHints":{"SizeInMBs":64,"IntervalInSeconds":60}`
		schema   = `"SchemaConfiguration":{"RoleARN":"r","DatabaseName":"d","TableName":"t"}`
		in       = `"InputFormatConfiguration":{"Deserializer":{"OpenXJsonSerDe":{}}}`
		out      = `"OutputFormatConfiguration":{"Serializer":{"ParquetSerDe":{}}}`
		serde    = extended + "dataFormatConversionConfiguration.outputFormatConfiguration.serializer."
		arn      = `{"ParameterName":"LambdaArn","ParameterValue":"l"}`
	)
	h, m := open(t)
	for _, tt := range []struct{ body, want string }{
		// The form.
		{``, "SerializationException: "},
		{`null`, "SerializationException: the body must be a JSON object"},
		{`[]`, "SerializationException: "},
		{`{"DeliveryStreamName":1}`, "SerializationException: DeliveryStreamName is not valid JSON"},
		{`{"DeliveryStreamName":"x","S3DestinationConfiguration":"b"}`, "SerializationException: S3DestinationConfiguration is not valid JSON"},
		{creation("x", `,"BufferingHints":{"SizeInMBs":1.5}`), "SerializationException: " + here + "BufferingHints.SizeInMBs is not valid JSON"},
		{plainCreation(`"Tags":[{"Key":1}],`), "SerializationException: Tags.1.Key is not valid JSON"},
		{plainCreation(`"Tags":{},`), "SerializationException: Tags is not valid JSON"},

		// The model's constraints, all in one message.
		{`{"S3DestinationConfiguration":{}}`, "ValidationException: 3 validation errors detected: Value null at 'deliveryStreamName'" + must + "not be null; Value null at 's3DestinationConfiguration.roleARN'" + must + "not be null; Value null at 's3DestinationConfiguration.bucketARN'" + must + "not be null"},
		{creation(strings.Repeat("n", 65), ""), at + "'" + strings.Repeat("n", 65) + "' at 'deliveryStreamName'" + must + "have length less than or equal to 64"},
		{creation("x", `,"RoleARN":"r"`), at + "'r' at " + extended + "roleARN'" + must + `satisfy regular expression pattern: arn:.*:iam::\d{12}:role/[a-zA-Z_0-9+=,.@\-_/]+`},
		{creation("x", `,"BucketARN":"b"`), at + "'b' at " + extended + "bucketARN'" + must + `satisfy regular expression pattern: arn:.*:s3:::[\w\.\-]{1,255}`},
		{creation("x", `,"BucketARN":"arn:aws:s3:::b/c"`), at},
		{creation("x", `,"Prefix":"`+strings.Repeat("é", 1025)+`"`), at + "'" + strings.Repeat("é", 1025) + "' at " + extended + "prefix'" + must + "have length less than or equal to 1024"},
		{creation("x", `,"BufferingHints":{"SizeInMBs":129,"IntervalInSeconds":300}`), at + "'129' at " + extended + "bufferingHints.sizeInMBs'" + must + "have value less than or equal to 128"},
		{creation("x", `,"BufferingHints":{"SizeInMBs":0,"IntervalInSeconds":901}`), "ValidationException: 2 validation errors detected: Value '0' at " + extended + "bufferingHints.sizeInMBs'" + must + "have value greater than or equal to 1; Value '901'"},
		{creation("x", `,"CompressionFormat":"gzip"`), at + "'gzip' at " + extended + "compressionFormat'" + must + "satisfy enum value set: [ZIP, HADOOP_SNAPPY, Snappy, GZIP, UNCOMPRESSED]"},
		{creation("x", `,"EncryptionConfiguration":{"KMSEncryptionConfig":{"AWSKMSKeyARN":"k"}}`), at + "'k' at " + extended + "encryptionConfiguration.kMSEncryptionConfig.aWSKMSKeyARN'" + must + `satisfy regular expression pattern: arn:.*:kms:[a-zA-Z0-9\-]+:\d{12}:(key|alias)/[a-zA-Z_0-9+=,.@\-_/]+`},
		{creation("x", `,"EncryptionConfiguration":{"KMSEncryptionConfig":{}}`), at + "null at " + extended + "encryptionConfiguration.kMSEncryptionConfig.aWSKMSKeyARN'" + must + "not be null"},
		{creation("x", `,"CloudWatchLoggingOptions":{"LogGroupName":"a b"}`), at + "'a b' at " + extended + "cloudWatchLoggingOptions.logGroupName'" + must + `satisfy regular expression pattern: [\.\-_/#A-Za-z0-9]*`},
		{creation("x", `,"CloudWatchLoggingOptions":{"LogStreamName":"a:b"}`), at + "'a:b' at " + extended + "cloudWatchLoggingOptions.logStreamName'" + must + `satisfy regular expression pattern: [^:*]*`},
		{creation("x", `,"FileExtension":"log"`), at + "'log' at " + extended + "fileExtension'" + must + `satisfy regular expression pattern: ^$|\.[0-9a-z!\-_.*'()]+`},
		{creation("x", `,"CustomTimeZone":"UTC+1"`), at + "'UTC+1' at " + extended + "customTimeZone'" + must + `satisfy regular expression pattern: ^$|[a-zA-Z/_]+`},
		{creation("x", `,"S3BackupMode":"All"`), at + "'All' at " + extended + "s3BackupMode'" + must + "satisfy enum value set: [Disabled, Enabled]"},
		{creation("x", `,"S3BackupConfiguration":{"RoleARN":"`+role+`"}`), at + "null at " + extended + "s3BackupConfiguration.bucketARN'" + must + "not be null"},
		{creation("x", `,"DynamicPartitioningConfiguration":{"RetryOptions":{"DurationInSeconds":7201}}`), at + "'7201' at " + extended + "dynamicPartitioningConfiguration.retryOptions.durationInSeconds'" + must + "have value less than or equal to 7200"},
		{plainCreation(`"DeliveryStreamType":"directput",`), at + "'directput' at 'deliveryStreamType'"},
		{plainCreation(`"DirectPutSourceConfiguration":{"ThroughputHintInMBs":101},`), at + "'101' at 'directPutSourceConfiguration.throughputHintInMBs'"},
		{plainCreation(`"DirectPutSourceConfiguration":{},`), at + "null at 'directPutSourceConfiguration.throughputHintInMBs'" + must + "not be null"},

		// Processors.
		{processing(true, `{}`), at + "null at " + extended + "processingConfiguration.processors.1.member.type'" + must + "not be null"},
		{processing(true, lambda, `{"Type":"lambda"}`), at + "'lambda' at " + extended + "processingConfiguration.processors.2.member.type'" + must + "satisfy enum value set: [Decompression, Lambda, RecordDeAggregation, MetadataExtraction, AppendDelimiterToRecord, CloudWatchLogProcessing]"},
		{processing(true, `{"Type":"Lambda","Parameters":[{"ParameterName":"lambdaArn","ParameterValue":"l"}]}`), at + "'lambdaArn' at " + extended + "processingConfiguration.processors.1.member.parameters.1.member.parameterName'" + must +
			"satisfy enum value set: [DataMessageExtraction, NumberOfRetries, Delimiter, RoleArn, JsonParsingEngine, SubRecordType, MetadataExtractionQuery, BufferIntervalInSeconds, LambdaArn, BufferSizeInMBs, CompressionFormat]"},
		{processing(true, `{"Type":"Lambda","Parameters":[null]}`), "ValidationException: 2 validation errors detected: Value null at " + extended + "processingConfiguration.processors.1.member.parameters.1.member.parameterName'" + must + "not be null; Value null at " + extended + "processingConfiguration.processors.1.member.parameters.1.member.parameterValue'" + must + "not be null"},
		{processing(true, `{"Type":"Lambda","Parameters":[`+parameter("LambdaArn", "")+`]}`), "ValidationException: 2 validation errors detected: Value '' at " + extended + "processingConfiguration.processors.1.member.parameters.1.member.parameterValue'" + must + "have length greater than or equal to 1; " +
			"Value '' at " + extended + "processingConfiguration.processors.1.member.parameters.1.member.parameterValue'" + must + `satisfy regular expression pattern: ^(?!\s*$).+`},
		{processing(true, `{"Type":"Lambda","Parameters":[`+parameter("LambdaArn", " \t")+`]}`), at + "' \t' at "},
		{processing(true, `{"Type":"Lambda","Parameters":[`+parameter("LambdaArn", "a\nb")+`]}`), at + "'a\nb' at "},
		{processing(true), argument + "A maximum of 5 and a minimum of 1 processor needs to be supplied when processing is enabled."},
		{processing(true, strings.Split(strings.Repeat(`,{"Type":"AppendDelimiterToRecord"}`, 6)[1:], ",")...), argument + "A maximum of 5 and a minimum of 1 processor"},
		{processing(false, lambda, lambda), argument + "Cannot have more than 1 Lambda processor."},
		{processing(true, `{"Type":"Lambda","Parameters":[`+parameter("NumberOfRetries", "2")+`,`+parameter("NumberOfRetries", "3")+`]}`), argument + "Duplicate ProcessorParameter passed to ProcessingConfiguration."},
		{processing(true, `{"Type":"Lambda","Parameters":[`+parameter("NumberOfRetries", "2")+`]}`), argument + "LambdaArn is required when Lambda processor is used."},
		{processing(true, `{"Type":"Lambda"}`), argument + "LambdaArn is required when Lambda processor is used."},
		{processing(true, `{"Type":"Lambda","Parameters":[`+arn+`,`+parameter("BufferSizeInMBs", "2")+`]}`), argument + "Both BufferSizeInMBs and BufferIntervalInSeconds are required to configure buffering for lambda processor."},
		{processing(true, `{"Type":"Lambda","Parameters":[`+arn+`,`+parameter("BufferIntervalInSeconds", "70")+`]}`), argument + "Both BufferSizeInMBs and BufferIntervalInSeconds are required to configure buffering for lambda processor."},

		// Conversion, in the order that AWS was seen to check in.
		{
			converting("", `{`+schema+`,`+in+`,"OutputFormatConfiguration":{"Serializer":{"ParquetSerDe":{"MaxPaddingBytes":-1,"BlockSizeBytes":1,"PageSizeBytes":1,"Compression":"x","WriterVersion":"v"}}}}`),
			"ValidationException: 5 validation errors detected: Value '-1' at " + serde + "parquetSerDe.maxPaddingBytes'" + must + "have value greater than or equal to 0; Value '1' at " + serde + "parquetSerDe.blockSizeBytes'" + must + "have value greater than or equal to 67108864; " +
				"Value '1' at " + serde + "parquetSerDe.pageSizeBytes'" + must + "have value greater than or equal to 65536; Value 'x' at " + serde + "parquetSerDe.compression'" + must + "satisfy enum value set: [SNAPPY, GZIP, UNCOMPRESSED]; Value 'v' at " + serde + "parquetSerDe.writerVersion'" + must + "satisfy enum value set: [V1, V2]",
		},
		{
			converting("", `{"OutputFormatConfiguration":{"Serializer":{"OrcSerDe":{"DictionaryKeyThreshold":1.5,"BlockSizeBytes":1,"RowIndexStride":999,"PaddingTolerance":-0.5,"StripeSizeBytes":1,"Compression":"x","FormatVersion":"v","BloomFilterColumns":["a b"]}}}}`),
			"ValidationException: 8 validation errors detected: Value '1.5' at " + serde + "orcSerDe.dictionaryKeyThreshold'" + must + "have value less than or equal to 1; Value '1' at " + serde + "orcSerDe.blockSizeBytes'" + must + "have value greater than or equal to 67108864; " +
				"Value '999' at " + serde + "orcSerDe.rowIndexStride'" + must + "have value greater than or equal to 1000; Value '-0.5' at " + serde + "orcSerDe.paddingTolerance'" + must + "have value greater than or equal to 0; " +
				"Value '1' at " + serde + "orcSerDe.stripeSizeBytes'" + must + "have value greater than or equal to 8388608; Value 'x' at " + serde + "orcSerDe.compression'" + must + "satisfy enum value set: [ZLIB, SNAPPY, NONE]; " +
				"Value 'v' at " + serde + "orcSerDe.formatVersion'" + must + "satisfy enum value set: [V0_11, V0_12]; Value '[a b]' at " + serde + "orcSerDe.bloomFilterColumns'" + must +
				`satisfy constraint: [Member must have length less than or equal to 1024, Member must have length greater than or equal to 1, Member must satisfy regular expression pattern: ^\S+$]`,
		},
		{
			converting("", `{"InputFormatConfiguration":{"Deserializer":{"OpenXJsonSerDe":{"ColumnToJsonKeyMappings":{"a b":" "}}}}}`),
			"ValidationException: 2 validation errors detected: Value '{a b= }' at " + extended + "dataFormatConversionConfiguration.inputFormatConfiguration.deserializer.openXJsonSerDe.columnToJsonKeyMappings' failed to satisfy constraint: " +
				`Map keys must satisfy constraint: [Member must have length less than or equal to 1024, Member must have length greater than or equal to 1, Member must satisfy regular expression pattern: ^\S+$]; Value '{a b= }' at ` +
				extended + "dataFormatConversionConfiguration.inputFormatConfiguration.deserializer.openXJsonSerDe.columnToJsonKeyMappings' failed to satisfy constraint: " +
				`Map value must satisfy constraint: [Member must have length less than or equal to 1024, Member must have length greater than or equal to 1, Member must satisfy regular expression pattern: ^(?!\s*$).+]`,
		},
		{converting("", `{"SchemaConfiguration":{"TableName":"a b"}}`), at + "'a b' at " + extended + "dataFormatConversionConfiguration.schemaConfiguration.tableName'" + must + `satisfy regular expression pattern: ^\S+$`},
		{
			converting(`,"CompressionFormat":"GZIP","BufferingHints":{"SizeInMBs":5,"IntervalInSeconds":300}`, `{"Enabled":true}`),
			argument + "The S3 destination's compression format must be set to UNCOMPRESSED when data format conversion is enabled. To enable compression within the converted output format, set the appropriate serialization option in the output format configuration.",
		},
		{converting(`,"BufferingHints":{"SizeInMBs":63,"IntervalInSeconds":300}`, `{}`), argument + "BufferingHints.SizeInMBs must be at least 64 when data format conversion is enabled."},
		{converting("", `{}`), argument + "InputFormatConfiguration must not be null"},
		{converting("", `{"InputFormatConfiguration":{}}`), argument + "OutputFormatConfiguration must not be null"},
		{converting("", `{"InputFormatConfiguration":{},"OutputFormatConfiguration":{}}`), argument + "SchemaConfiguration must not be null"},
		{converting("", `{"InputFormatConfiguration":{},"OutputFormatConfiguration":{},"SchemaConfiguration":{}}`), argument + "Deserializer must not be null"},
		{converting("", `{"InputFormatConfiguration":{"Deserializer":{}},`+out+`,`+schema+`}`), argument + "Deserializer must not be null"},
		{converting("", `{"InputFormatConfiguration":{"Deserializer":{"OpenXJsonSerDe":{},"HiveJsonSerDe":{}}},`+out+`,`+schema+`}`), argument + "More than one deserializer specified. Only one may be chosen."},
		{converting("", `{`+in+`,"OutputFormatConfiguration":{"Serializer":{}},`+schema+`}`), argument + "Serializer must not be null"},
		{converting("", `{`+in+`,"OutputFormatConfiguration":{"Serializer":{"ParquetSerDe":{},"OrcSerDe":{}}},`+schema+`}`), argument + "More than one serializer specified. Only one may be chosen."},
		{converting("", `{`+in+`,`+out+`,"SchemaConfiguration":{}}`), argument + "SchemaConfiguration.RoleArn must not be null or empty"},
		{converting("", `{`+in+`,`+out+`,"SchemaConfiguration":{"RoleARN":"r"}}`), argument + "SchemaConfiguration.DatabaseName must not be null or empty"},
		{converting("", `{`+in+`,`+out+`,"SchemaConfiguration":{"RoleARN":"r","DatabaseName":"d"}}`), argument + "SchemaConfiguration.TableName must not be null or empty"},

		// Partitioning.
		{partitioned(`,"BufferingHints":{"SizeInMBs":63,"IntervalInSeconds":60}` + onP), argument + "BufferingHints.SizeInMBs must be at least 64 when Dynamic Partitioning is enabled."},
		{partitioned(`,"BufferingHints":{"SizeInMBs":64,"IntervalInSeconds":59}` + onP), argument + "BufferingHints.IntervalInSeconds must be at least 60 seconds when Dynamic Partitioning is enabled."},
		{partitioned(large), argument + "Processing Configuration is not enabled when DataPartitioning is enabled"},
		{partitioned(large + `,"ProcessingConfiguration":{"Processors":[` + lambda + `]}`), argument + "Processing Configuration is not enabled when DataPartitioning is enabled"},
		{partitioned(onP), argument + "The supplied prefix(es) do not satisfy the following constraint: ErrorOutputPrefix cannot be null or empty when Prefix contains expressions"},

		// HTTP endpoints. Their secrets are not told.
		{`{"DeliveryStreamName":"x","HttpEndpointDestinationConfiguration":{}}`, "ValidationException: 2 validation errors detected: Value null at " + endpoint + "endpointConfiguration'" + must + "not be null; Value null at " + endpoint + "s3Configuration'" + must + "not be null"},
		{httpCreation(`,"EndpointConfiguration":{}`), at + "null at " + endpoint + "endpointConfiguration.url'" + must + "not be null"},
		{httpCreation(`,"EndpointConfiguration":{"Url":"http://h"}`), at + "at " + endpoint + "endpointConfiguration.url'" + must + "satisfy regular expression pattern: https://.*"},
		{httpCreation(`,"EndpointConfiguration":{"Url":"https://h","Name":" "}`), at + "' ' at " + endpoint + "endpointConfiguration.name'" + must + `satisfy regular expression pattern: ^(?!\s*$).+`},
		{httpCreation(`,"EndpointConfiguration":{"Url":"https://h","AccessKey":"` + strings.Repeat("k", 4097) + `"}`), at + "at " + endpoint + "endpointConfiguration.accessKey'" + must + "have length less than or equal to 4096"},
		{httpCreation(`,"BufferingHints":{"SizeInMBs":65,"IntervalInSeconds":60}`), at + "'65' at " + endpoint + "bufferingHints.sizeInMBs'" + must + "have value less than or equal to 64"},
		{httpCreation(`,"RequestConfiguration":{"ContentEncoding":"gzip"}`), at + "'gzip' at " + endpoint + "requestConfiguration.contentEncoding'" + must + "satisfy enum value set: [NONE, GZIP]"},
		{httpCreation(`,"RequestConfiguration":{"CommonAttributes":[{"AttributeName":"n"}]}`), at + "null at " + endpoint + "requestConfiguration.commonAttributes.1.member.attributeValue'" + must + "not be null"},
		{httpCreation(`,"RequestConfiguration":{"CommonAttributes":[{"AttributeName":"n","AttributeValue":"` + strings.Repeat("v", 1025) + `"}]}`), at + "at " + endpoint + "requestConfiguration.commonAttributes.1.member.attributeValue'" + must + "have length less than or equal to 1024"},
		{httpCreation(`,"RequestConfiguration":{"CommonAttributes":[{"AttributeName":"n","AttributeValue":""},{"AttributeName":"n","AttributeValue":""}]}`), argument + "Http Endpoint Common Attributes have duplicate name"},
		{httpCreation(`,"RetryOptions":{"DurationInSeconds":-1}`), at + "'-1' at " + endpoint + "retryOptions.durationInSeconds'"},
		{httpCreation(`,"S3BackupMode":"Enabled"`), at + "'Enabled' at " + endpoint + "s3BackupMode'" + must + "satisfy enum value set: [FailedDataOnly, AllData]"},
		{httpCreation(`,"SecretsManagerConfiguration":{}`), at + "null at " + endpoint + "secretsManagerConfiguration.enabled'" + must + "not be null"},
		{httpCreation(`,"SecretsManagerConfiguration":{"Enabled":true}`), argument + "Invalid secret ARN: null"},
		{httpCreation(`,"CloudWatchLoggingOptions":{"Enabled":true}`), argument + "CloudWatch Log Group Name is required if CloudWatch Logging is enabled"},
		{httpCreation(`,"S3Configuration":{` + arns + `,"CloudWatchLoggingOptions":{"Enabled":true}}`), argument + "CloudWatch Log Group Name is required if CloudWatch Logging is enabled"},

		// Tags and encryption.
		{plainCreation(`"Tags":[],`), at + "'[]' at 'tags'" + must + "have length greater than or equal to 1"},
		{plainCreation(`"Tags":[` + strings.Repeat(`{"Key":"k"},`, 50) + `{"Key":"k"}],`), at + "'[51 members]' at 'tags'" + must + "have length less than or equal to 50"},
		{plainCreation(`"Tags":[{"Key":"k"},{"Value":"v"}],`), at + "null at 'tags.2.member.key'" + must + "not be null"},
		{plainCreation(`"Tags":[{"Key":"aws:k"}],`), at + "'aws:k' at 'tags.1.member.key'" + must + `satisfy regular expression pattern: ^(?!aws:)[\p{L}\p{Z}\p{N}_.:\/=+\-@%]*$`},
		{plainCreation(`"Tags":[{"Key":"k","Value":"a*"}],`), at + "'a*' at 'tags.1.member.value'" + must + `satisfy regular expression pattern: ^[\p{L}\p{Z}\p{N}_.:\/=+\-@%]*$`},
		{plainCreation(`"DeliveryStreamEncryptionConfigurationInput":{},`), at + "null at 'deliveryStreamEncryptionConfigurationInput.keyType'" + must + "not be null"},
		{plainCreation(`"DeliveryStreamEncryptionConfigurationInput":{"KeyType":"AES"},`), at + "'AES' at 'deliveryStreamEncryptionConfigurationInput.keyType'" + must + "satisfy enum value set: [AWS_OWNED_CMK, CUSTOMER_MANAGED_CMK]"},
		{plainCreation(`"DeliveryStreamEncryptionConfigurationInput":{"KeyType":"CUSTOMER_MANAGED_CMK","KeyARN":"arn:aws:kms:us-east-1:000000000000:alias/k"},`), at + "'arn:aws:kms:us-east-1:000000000000:alias/k' at 'deliveryStreamEncryptionConfigurationInput.keyARN'" + must + `satisfy regular expression pattern: arn:.*:kms:[a-zA-Z0-9\-]+:\d{12}:key/[a-zA-Z_0-9+=,.@\-_/]+`},
		{plainCreation(`"DeliveryStreamEncryptionConfigurationInput":{"KeyType":"CUSTOMER_MANAGED_CMK"},`), argument + "KeyARN has to be specified when KeyType is CUSTOMER_MANAGED_CMK"},
		{plainCreation(`"DeliveryStreamEncryptionConfigurationInput":{"KeyType":"AWS_OWNED_CMK","KeyARN":"arn:aws:kms:us-east-1:000000000000:key/k"},`), argument + "KeyARN cannot be specified when KeyType is AWS_OWNED_CMK"},

		// What does not go together.
		{`{"DeliveryStreamName":"x"}`, exactly},
		{plainCreation(`"ExtendedS3DestinationConfiguration":{` + arns + `},`), exactly},
		{plainCreation(`"SplunkDestinationConfiguration":{},`), exactly},
		{creation("x", `,"BufferingHints":{"SizeInMBs":5}`), argument + here + "BufferingHints must have both SizeInMBs and IntervalInSeconds, or be left out"},
		{httpCreation(`,"BufferingHints":{"IntervalInSeconds":5}`), argument + "HttpEndpointDestinationConfiguration.BufferingHints must have both"},
		{creation("x", `,"EncryptionConfiguration":{}`), argument + "Exactly one of NoEncryptionConfig or KMSEncryptionConfig must be specified"},
		{creation("x", `,"EncryptionConfiguration":{"NoEncryptionConfig":"NoEncryption","KMSEncryptionConfig":{"AWSKMSKeyARN":"arn:aws:kms:us-east-1:000000000000:key/k"}}`), argument + "Exactly one of NoEncryptionConfig or KMSEncryptionConfig must be specified"},
		{creation("x", `,"CloudWatchLoggingOptions":{"Enabled":true,"LogStreamName":"s"}`), argument + "CloudWatch Log Group Name is required if CloudWatch Logging is enabled"},
		{creation("x", `,"CloudWatchLoggingOptions":{"Enabled":true,"LogGroupName":"g","LogStreamName":""}`), argument + "CloudWatch Log Stream Name is required if CloudWatch Logging is enabled"},
		{creation("x", `,"S3BackupMode":"Enabled"`), argument + "S3 backup destination configuration is required when enabling S3 backup."},
		{creation("x", `,"S3BackupMode":"Enabled","S3BackupConfiguration":{`+arns+`,"BufferingHints":{"SizeInMBs":5,"IntervalInSeconds":59}}`), argument + "The buffering interval of an S3 backup must be between 60 and 900 seconds."},
		{creation("x", `,"S3BackupMode":"Enabled","S3BackupConfiguration":{`+arns+`,"CloudWatchLoggingOptions":{"Enabled":true}}`), argument + "CloudWatch Log Group Name is required"},

		// What the local Firehose cannot do, or the API does not have.
		{`{"DeliveryStreamName":"x","RedshiftDestinationConfiguration":{}}`, unsupported + "RedshiftDestinationConfiguration."},
		{plainCreation(`"DeliveryStreamType":"MSKAsSource","MSKSourceConfiguration":{},`), unsupported + "DeliveryStreamType MSKAsSource, MSKSourceConfiguration."},
		{plainCreation(`"Anything":0,`), unsupported + "Anything."},
		{plainCreation(`"Tags":[{"Key":"k"},{"Key":"l","Colour":"red"}],`), unsupported + "Tags.2.Colour."},
		{`{"DeliveryStreamName":"x","S3DestinationConfiguration":{` + arns + `,"FileExtension":".x"}}`, unsupported + "S3DestinationConfiguration.FileExtension."},
		{creation("x", `,"S3BackupUpdate":{}`), unsupported + here + "S3BackupUpdate."},
		{creation("x", `,"S3BackupConfiguration":{`+arns+`,"S3BackupMode":"Enabled"}`), unsupported + here + "S3BackupConfiguration.S3BackupMode."},
		{processing(true, `{"Type":"AppendDelimiterToRecord","Speed":1}`), unsupported + here + "ProcessingConfiguration.Processors.1.Speed."},
		{converting("", `{`+in+`,"OutputFormatConfiguration":{"Serializer":{"ParquetSerDe":{},"Avro":{}}},`+schema+`}`), unsupported + here + "DataFormatConversionConfiguration.OutputFormatConfiguration.Serializer.Avro."},
		{httpCreation(`,"EndpointConfiguration":{"Url":"https://h","Port":1}`), unsupported + "HttpEndpointDestinationConfiguration.EndpointConfiguration.Port."},
		// The other errors come first.
		{creation("x", `,"Anything":0,"S3BackupMode":"Enabled"`), argument + "S3 backup destination configuration is required"},
	} {
		status, answer := post(h, "CreateDeliveryStream", tt.body)
		if got := failure(t, answer); status != 400 || !strings.HasPrefix(got, tt.want) {
			t.Errorf("%s:\n%d %s\nwant\n400 %s", tt.body, status, got, tt.want)
		}
	}
	if len(m.streams) != 1 {
		t.Errorf("%d streams, want only the first: %v", len(m.streams), m.streams)
	}
}

func TestAllowHTTP(t *testing.T) {
	for url, want := range map[string]string{
		"http://localhost:8080/": "", "https://localhost:8443/": "", "ftp://localhost": at + "at 'httpEndpointDestinationConfiguration.endpointConfiguration.url'" + must + "satisfy regular expression pattern: https?://.*",
	} {
		h := quiet(Config{Backend: newMemory(), NoAuth: true, AllowHTTP: true})
		_, answer := post(h, "CreateDeliveryStream", httpCreation(`,"EndpointConfiguration":{"Url":"`+url+`"}`))
		if want == "" != strings.HasPrefix(answer, `{"DeliveryStreamARN":`) || want != "" && failure(t, answer) != want {
			t.Errorf("%s: %s\nwant %s", url, answer, want)
		}
	}
}

// checkDestination checks what every destination that is given to a backend
// promises.
func checkDestination(t *testing.T, d Destination) {
	t.Helper()
	checkKept(t, d)
	s3 := d.S3
	if d.HTTP != nil {
		s3 = &d.HTTP.S3
		if d.S3 != nil || !strings.HasPrefix(d.HTTP.URL, "https://") || d.HTTP.SizeInMBs < 1 || d.HTTP.SizeInMBs > 64 || d.HTTP.BackupMode == "" {
			t.Errorf("an endpoint of %+v", d)
		}
	}
	if s3.Bucket() == "" || s3.RoleARN == "" || s3.SizeInMBs < 1 || s3.SizeInMBs > 128 || s3.IntervalInSeconds < 0 || s3.IntervalInSeconds > 900 || s3.CompressionFormat == "" || s3.BackupMode == "" ||
		s3.BackupMode == "Enabled" && s3.Backup == nil || s3.Conversion.on() && s3.CompressionFormat != "UNCOMPRESSED" || s3.Logging.Enabled && s3.Logging.Stream == "" {
		t.Errorf("a bucket of %+v", s3)
	}
}

func FuzzDecodeCreate(f *testing.F) {
	f.Add([]byte(creation("s", `,"Prefix":"a/","BufferingHints":{"SizeInMBs":1,"IntervalInSeconds":0},"CompressionFormat":"GZIP"`)))
	f.Add([]byte(`{"DeliveryStreamName":"s","S3DestinationConfiguration":{},"Tags":[],"":0}`))
	f.Add([]byte(`{"DeliveryStreamName":"s","Tags":[{"Key":"k"},null],"DeliveryStreamEncryptionConfigurationInput":{"KeyType":"AWS_OWNED_CMK"},"ExtendedS3DestinationConfiguration":` + fullExtended + `}`))
	f.Add([]byte(`{"DeliveryStreamName":"s","HttpEndpointDestinationConfiguration":` + fullHTTPJSON + `}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		in, err := (&server{}).decodeCreate(body)
		if err != nil {
			return
		}
		if in.DeliveryStreamName == "" || len(in.Tags) > 50 {
			t.Errorf("%q is accepted as %+v", body, in)
		}
		checkDestination(t, in.Destination)
		describe(&DescribeDeliveryStreamOutput{Destination: in.Destination})
	})
}
