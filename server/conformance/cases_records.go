package conformance

import "strings"

func putCases() []Case {
	record := strings.Repeat("x", 1_024_000)
	longer := record + "x"
	rest := strings.Repeat("x", 4_194_304-4*1_024_000)
	return list(
		"put",
		withStream("a record id of 224 characters", "BLOG-KR, facts 1.6", putOne("a").gives(`{"RecordId":"~^[A-Za-z0-9+/]{224}$"}`)),
		withStream("Encrypted is sent when false", "BLOG-KR, facts 1.6", putOne("a").gives(`{"Encrypted":false}`)),
		withStream("empty data", "STACKD, facts 1.6; PROBE, facts 1.5", putOne("").gives(`{"RecordId":"~."}`)),
		withStream("a batch's answer", "BOTO, BLOG-KR, facts 1.6", put("a", "", "b").gives(`{"FailedPutCount":0,"Encrypted":false,"RequestResponses":[{"RecordId":"~^[A-Za-z0-9+/]{224}$","ErrorCode":null},{"RecordId":"~."},{"RecordId":"~."}]}`)),
		withStream("a record of 1,024,000 bytes", "STACKD, facts 1.7", putOne(record)),
		withStream("a record of 1,024,001 bytes", "STACKD, osquery#3568, facts 1.7", putOne(longer).refused(validation, `~^1 validation error detected: Value .*at 'record\.data' failed to satisfy constraint: Member must have length less than or equal to 1024000$`)),
		withStream("the third record of a batch too large", "STACKD, BLOG-KR, facts 1.7", put("a", "b", longer).refused(validation, `~at 'records\.3\.member\.data' failed to satisfy constraint: Member must have length less than or equal to 1024000$`)),
		withStream("500 records", "BOTO, facts 1.6", put(strings.Split(strings.Repeat("a", 500), "")...).gives(`{"FailedPutCount":0}`)),
		withStream("501 records", "BLOG-KR, facts 1.7", put(strings.Split(strings.Repeat("a", 501), "")...).refused(validation, "~at 'records' failed to satisfy constraint: Member must have length less than or equal to 500$")),
		withStream("no records", "BOTO, facts 1.6", put().refused(validation, "~at 'records' failed to satisfy constraint: Member must have length greater than or equal to 1$")),
		withStream("4,194,304 bytes", "STACKD, facts 2", put(record, record, record, record, rest).gives(`{"FailedPutCount":0}`)),
		withStream("4,194,305 bytes", "STACKD, BLOG-KR, facts 1.7, 2", put(record, record, record, record, rest+"x").refused(unprivileged, "Records size exceeds 4 MB limit")),
		withStream("the count before the size", "BLOG-KR, facts 1.7", put(strings.Split(strings.Repeat(strings.Repeat("x", 9_000)+",", 500)+"x", ",")...).
			refused(validation, "~at 'records' failed to satisfy constraint: Member must have length less than or equal to 500$")),
		Case{Name: "nothing of a refused batch is stored", Source: "BLOG-KR, osquery#3568, facts 1.7", Steps: []Step{
			create(""), put("a", longer).refused(validation, ""), put("b"), delivered(Object{Body: "b"}),
		}},
	)
}

func prefixCases() []Case {
	const (
		seen       = "DG23 prefixes, facts 4.3; PREFLIGHT"
		constraint = "The supplied prefix(es) do not satisfy the following constraint: "
	)
	errors := `,"ErrorOutputPrefix":"e/!{firehose:error-output-type}/"`
	bad := func(name, members, message string) Case {
		return single(name, seen, create(members).refused(unprivileged, message))
	}
	return list(
		"prefixes",
		bad("expressions without an error prefix", `,"Prefix":"y=!{timestamp:yyyy}/"`, constraint+"ErrorOutputPrefix cannot be null or empty when Prefix contains expressions"),
		bad("an error prefix without its type", `,"Prefix":"p/","ErrorOutputPrefix":"e/!{timestamp:yyyy}/"`, constraint+"ErrorOutputPrefix must contain at least one occurrence of !{firehose:error-output-type}"),
		bad("a type of error in Prefix", `,"Prefix":"!{firehose:error-output-type}/"`+errors, constraint+"Prefix must not contain any occurrence of !{firehose:error-output-type}"),
		bad("keys without partitioning", `,"Prefix":"!{partitionKeyFromQuery:k}/"`+errors, "Dynamic Partitioning Namespaces can only be part of a prefix expression when Dynamic Partitioning is enabled."),
		bad("keys in the error prefix", `,"Prefix":"p/","ErrorOutputPrefix":"!{partitionKeyFromQuery:k}/!{firehose:error-output-type}/"`, "Dynamic Partitioning Namespaces can't be part of an error prefix expression"),
		bad("an unknown namespace", `,"Prefix":"!{date:yyyy}/"`+errors, constraint+"Namespace to the left of colon (date) is an invalid keyword!"),
		bad("an expression that is not closed", `,"Prefix":"!{timestamp:yyyy"`+errors, constraint+"Invalid expression usage: !{timestamp:yyyy.Must be of the form !{<namespace>:<value>}"),
		bad("a bad pattern of time", `,"Prefix":"!{timestamp:bbb}/"`+errors, constraint+"Invalid conversion character used in the value of the expression in Prefix"),
		bad("a plain error prefix of 513 characters", `,"ErrorOutputPrefix":"`+strings.Repeat("p/", 256)+`p"`, constraint+"Length of evaluated ErrorOutputPrefix cannot be greater than 512"),
		single("a plain prefix of 512 characters", "STACKD, facts 4.3", create(`,"Prefix":"`+strings.Repeat("p/", 256)+`"`)),
		single("a plain prefix of 513 characters", "STACKD, facts 4.3 (max 512); PREFLIGHT", create(`,"Prefix":"`+strings.Repeat("p/", 256)+`p"`).
			refused(unprivileged, constraint+"Length of evaluated prefix cannot be greater than 512")),
	)
}

// partitioning is dynamic partitioning by a query for k.
func partitioning(prefix, more string) string {
	return `,"Prefix":"` + prefix + `","ErrorOutputPrefix":"e/!{firehose:error-output-type}/","DynamicPartitioningConfiguration":{"Enabled":true},
		"ProcessingConfiguration":{"Enabled":true,"Processors":[` + extraction + `]}` + more
}

const (
	extraction = `{"Type":"MetadataExtraction","Parameters":[{"ParameterName":"MetadataExtractionQuery","ParameterValue":"{k: .k}"},{"ParameterName":"JsonParsingEngine","ParameterValue":"JQ-1.6"}]}`
	byKey      = "k=!{partitionKeyFromQuery:k}/"
	large      = `,"BufferingHints":{"SizeInMBs":64,"IntervalInSeconds":60}`
)

func partitioningCases() []Case {
	const seen = "CDK, DG23, facts 2, 4.5; words of AWS, package server"
	return list(
		"partitioning",
		single("a buffer of 63 MiB", seen, create(partitioning(byKey, `,"BufferingHints":{"SizeInMBs":63,"IntervalInSeconds":60}`)).refused(unprivileged, "BufferingHints.SizeInMBs must be at least 64 when Dynamic Partitioning is enabled.")),
		single("an interval of 59 s", seen, create(partitioning(byKey, `,"BufferingHints":{"SizeInMBs":64,"IntervalInSeconds":59}`)).refused(unprivileged, "BufferingHints.IntervalInSeconds must be at least 60 seconds when Dynamic Partitioning is enabled.")),
		single("partitioning without processing", seen, create(`,"Prefix":"!{partitionKeyFromQuery:k}/","ErrorOutputPrefix":"e/!{firehose:error-output-type}/","DynamicPartitioningConfiguration":{"Enabled":true}`+large).
			refused(unprivileged, "Processing Configuration is not enabled when DataPartitioning is enabled")),
		single("a prefix without keys", seen, create(partitioning("p/", large)).refused(unprivileged, "S3 Prefix should contain Dynamic Partitioning namespaces when Dynamic Partitioning is enabled")),
		withStream("partitioning only at creation", "facts 4.5", update("1", `"DynamicPartitioningConfiguration":{"Enabled":true},"Prefix":"!{partitionKeyFromQuery:k}/","ErrorOutputPrefix":"e/!{firehose:error-output-type}/","ProcessingConfiguration":{"Enabled":true,"Processors":[`+extraction+`]},"BufferingHints":{"SizeInMBs":64,"IntervalInSeconds":60}`).
			refused(unprivileged, "")),
		Case{Name: "partitioning is never disabled", Source: "facts 4.5", Steps: []Step{
			create(partitioning(byKey, large)), update("1", `"DynamicPartitioningConfiguration":{"Enabled":false}`).refused(unprivileged, ""),
		}},
		Case{Name: "an object of each partition, without the time", Source: "DG23, facts 4.3, 4.5", Steps: []Step{
			create(partitioning(byKey, large)), put(`{"k":"a"}`, `{"k":"b"}`), delivered(
				Object{Key: `^k=a/{s}-1-`, Body: `{"k":"a"}`}, Object{Key: `^k=b/{s}-1-`, Body: `{"k":"b"}`},
			),
		}},
		Case{Name: "a record without its key", Source: "seen in the wild, facts 4.4", Steps: []Step{
			create(partitioning(byKey, large)), put(`{"n":1}`), delivered(
				Object{Key: `^e/[a-z-]+/{s}-1-`, Body: `~"rawData":"` + encode(`{"n":1}`) + `".*"errorCode":"DynamicPartitioning.MetadataExtractionFailed"`},
			),
		}},
	)
}

func processing(processors string) string {
	return `,"ErrorOutputPrefix":"e/!{firehose:error-output-type}/","ProcessingConfiguration":{"Enabled":true,"Processors":[` + processors + `]}`
}

// function is a processor that calls Lambda.
const function = `{"Type":"Lambda","Parameters":[{"ParameterName":"LambdaArn","ParameterValue":"arn:aws:lambda:us-east-1:123456789012:function:f"}]}`

func processingCases() []Case {
	const seen = "STACKD, facts 1.8; words of AWS, package server"
	delimiter := `{"Type":"AppendDelimiterToRecord"}`
	return list(
		"processing",
		single("no processors", seen, create(processing("")).refused(unprivileged, "A maximum of 5 and a minimum of 1 processor needs to be supplied when processing is enabled.")),
		single("six processors", seen, create(processing(strings.Repeat(delimiter+",", 5)+delimiter)).refused(unprivileged, "A maximum of 5 and a minimum of 1 processor needs to be supplied when processing is enabled.")),
		single("two functions", seen, create(processing(function+","+function)).refused(unprivileged, "Cannot have more than 1 Lambda processor.")),
		single("a function without an ARN", seen, create(processing(`{"Type":"Lambda"}`)).refused(unprivileged, "LambdaArn is required when Lambda processor is used.")),
		single("a type of processor in the wrong case", "BOTO, facts 1.8", create(processing(`{"Type":"lambda"}`)).refused(validation, `~at 'extendedS3DestinationConfiguration\.processingConfiguration\.processors\.1\.member\.type' failed to satisfy constraint: Member must satisfy enum value set: `)),
		single("a blank parameter", "BOTO, facts 1.8", create(processing(`{"Type":"Lambda","Parameters":[{"ParameterName":"LambdaArn","ParameterValue":" "}]}`)).
			refused(validation, `~at 'extendedS3DestinationConfiguration\.processingConfiguration\.processors\.1\.member\.parameters\.1\.member\.parameterValue' failed to satisfy constraint: Member must satisfy regular expression pattern: `)),
		single("keys without partitioning's processor", "words of AWS, package local/process", create(processing(extraction)).
			refused(unprivileged, "class com.amazonaws.services.firehose.internal.model.MetadataExtractionProcessor can only be present when Dynamic Partitioning is enabled.")),
		Case{Name: "a delimiter's parameters are forgotten", Source: "STACKD, facts 4.1", Steps: []Step{
			create(processing(`{"Type":"AppendDelimiterToRecord","Parameters":[{"ParameterName":"Delimiter","ParameterValue":"x"}]}`)),
			describedS3("1", `"ProcessingConfiguration":{"Enabled":true,"Processors":[{"Type":"AppendDelimiterToRecord","Parameters":[]}]}`),
		}},
		Case{Name: "errors without a prefix of their own", Source: "DG23, seen for Splunk, facts 4.3", Steps: []Step{
			create(`,"Prefix":"retries/","ProcessingConfiguration":{"Enabled":true,"Processors":[` + function + `]}`), put("a"),
			delivered(Object{Key: `^retries/processing-failed/` + folder + `{s}-1-`, Body: `~"rawData":"YQ=="`}),
		}},
		Case{Name: "an error prefix without expressions", Source: "DG23 (a Prefix only has the time), STACKD, facts 4.3", Steps: []Step{
			create(strings.Replace(processing(function), "e/!{firehose:error-output-type}/", "plain/", 1)), put("a"), delivered(Object{Key: `^plain/{s}-1-`, Body: `~"rawData":"YQ=="`}),
		}},
		Case{Name: "a record that the function fails", Source: "STACKD, facts 4.4, 4.6", Steps: []Step{
			create(processing(function)), put("a"), delivered(Object{
				Key:  `^e/processing-failed/{s}-1-`,
				Body: `~"rawData":"YQ==","errorCode":"Lambda\.ProcessingFailedStatus".*"attemptsMade":\d+,"arrivalTimestamp":\d{13},"attemptEndingTimestamp":\d{13},"lambdaARN":"arn:aws:lambda:[^"]+"}` + "\n$",
			}),
		}},
	)
}

func conversionCases() []Case {
	const seen = "DG23, FLOCI, facts 2; words of AWS, package server"
	conversion := func(members string) string {
		return `,"DataFormatConversionConfiguration":{` + members + `}`
	}
	const (
		schema = `"SchemaConfiguration":{"RoleARN":"` + role + `","DatabaseName":"db","TableName":"t"}`
		in     = `"InputFormatConfiguration":{"Deserializer":{"OpenXJsonSerDe":{}}}`
		out    = `"OutputFormatConfiguration":{"Serializer":{"ParquetSerDe":{}}}`
		all    = schema + "," + in + "," + out
	)
	bad := func(name, members, message string) Case {
		return single(name, seen, create(members).refused(unprivileged, message))
	}
	return list(
		"conversion",
		bad("conversion with compression", `,"CompressionFormat":"GZIP"`+conversion(all), "The S3 destination's compression format must be set to UNCOMPRESSED when data format conversion is enabled. To enable compression within the converted output format, set the appropriate serialization option in the output format configuration."),
		bad("conversion of 63 MiB", `,"BufferingHints":{"SizeInMBs":63,"IntervalInSeconds":300}`+conversion(all), "BufferingHints.SizeInMBs must be at least 64 when data format conversion is enabled."),
		bad("conversion without an input", conversion(schema+","+out), "InputFormatConfiguration must not be null"),
		bad("conversion without an output", conversion(schema+","+in), "OutputFormatConfiguration must not be null"),
		bad("conversion without a schema", conversion(in+","+out), "SchemaConfiguration must not be null"),
		bad("two serializers", conversion(schema+","+in+`,"OutputFormatConfiguration":{"Serializer":{"ParquetSerDe":{},"OrcSerDe":{}}}`), "More than one serializer specified. Only one may be chosen."),
		Case{Name: "conversion has 128 MiB by default", Source: "DG23, facts 2", Steps: []Step{create(conversion(all)), describedS3("1", `"BufferingHints":{"SizeInMBs":128,"IntervalInSeconds":300}`)}},
		Case{Name: "records as Parquet", Source: "FLOCI, facts 4.1", Steps: []Step{
			create(conversion(all)), put(`{"id":1}`), delivered(Object{Key: `\.parquet$`, Encoding: "hadoop-snappy", Body: `~(?s)^PAR1.*PAR1$`}),
		}},
		Case{Name: "a file extension in place of .parquet", Source: "BOTO (it overrides the default), facts 4.1; FLOCI", Steps: []Step{
			create(`,"FileExtension":".x"` + conversion(all)), put(`{"id":1}`), delivered(Object{Key: `^` + folder + name + `\.x$`, Encoding: "hadoop-snappy", Body: `~(?s)^PAR1.*PAR1$`}),
		}},
		Case{Name: "a record that is no JSON", Source: "DG23, FLOCI, facts 4.4", Steps: []Step{
			create(`,"ErrorOutputPrefix":"e/!{firehose:error-output-type}/"` + conversion(all)), put(`x`), delivered(Object{
				Key: `^e/format-conversion-failed/{s}-1-[^.]*$`, Body: `~"lastErrorCode":"DataFormatConversion\.ParseError"`,
			}),
		}},
	)
}
