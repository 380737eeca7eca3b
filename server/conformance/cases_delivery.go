package conformance

// delivered is a step that delivers, and reads the bucket. An object whose key
// does not matter has none.
func delivered(objects ...Object) Step { return Step{Op: "Objects", Want: Want{Objects: objects}} }

const (
	stamp  = `\d{4}-\d{2}-\d{2}-\d{2}-\d{2}-\d{2}`
	uuid   = `[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`
	folder = `\d{4}/\d{2}/\d{2}/\d{2}/`
	name   = `{s}-1-` + stamp + `-` + uuid
)

func deliveryCases() []Case {
	key := func(what, source, members, pattern string) Case {
		return Case{Name: what, Source: source, Steps: []Step{create(members), put("a"), delivered(Object{Key: pattern, Body: "a"})}}
	}
	compressed := func(format, extension, encoding string) Case {
		return Case{Name: "compression " + format, Source: "FLOCI, STACKD, facts 4.1", Steps: []Step{
			create(`,"CompressionFormat":"` + format + `"`), put("a\n", "b\n"), delivered(Object{Key: `^` + folder + name + extension + `$`, Encoding: encoding, Format: format, Body: "a\nb\n"}),
		}}
	}
	errors := `,"ErrorOutputPrefix":"e/!{firehose:error-output-type}/"`
	return list(
		"delivery",
		key("the key of an object", "DG-new, BLOG-KR, facts 4.2", "", `^`+folder+name+`$`),
		key("a prefix with a slash", "DG23, facts 4.3", `,"Prefix":"p/"`, `^p/`+folder+name+`$`),
		key("no slash after a prefix", "FLOCI, facts 4.3", `,"Prefix":"legacy"`, `^legacy`+folder+name+`$`),
		key("a prefix with its own time", "DG23, facts 4.3", `,"Prefix":"y=!{timestamp:yyyy}/'x'!{timestamp:MM}/"`+errors, `^y=\d{4}/'x'\d{2}/`+name+`$`),
		key("a random string of 11 characters", "DG23, facts 4.3", `,"Prefix":"!{firehose:random-string}/!{timestamp:yyyy}/"`+errors, `^[0-9a-z-]{11}/\d{4}/`+name+`$`),
		key("no time after a random string", "FLOCI; DG23 has one, facts 4.3", `,"Prefix":"r=!{firehose:random-string}/"`+errors, `^r=[0-9a-z-]{11}/`+name+`$`),
		key("literals in a time", "DG23, facts 4.3", `,"Prefix":"!{timestamp:'year='yyyy'/'}"`+errors, `^year=\d{4}/`+name+`$`),
		key("a file extension", "facts 4.1", `,"FileExtension":".log"`, `^`+folder+name+`\.log$`),
		Case{Name: "a file extension does not compress less", Source: "facts 4.1", Steps: []Step{
			create(`,"FileExtension":".log","CompressionFormat":"GZIP"`), put("a"), delivered(Object{Key: `^` + folder + name + `\.log$`, Encoding: "gzip", Format: "GZIP", Body: "a"}),
		}},
		Case{Name: "no delimiter between records", Source: "DG-new, FLOCI, facts 4.1", Steps: []Step{create(""), put("abc", "abc", "abc"), delivered(Object{Body: "abcabcabc"})}},
		Case{Name: "a delimiter between records, not after the last", Source: "STACKD, facts 4.1", Steps: []Step{
			create(processing(`{"Type":"AppendDelimiterToRecord"}`)), put("a", "b"), delivered(Object{Body: "a\nb"}),
		}},
		Case{Name: "Content-Type", Source: "FLOCI, STACKD, facts 4.1", Steps: []Step{create(""), put("a"), delivered(Object{Type: "application/octet-stream", Body: "a"})}},
		compressed("UNCOMPRESSED", "", ""),
		compressed("GZIP", `\.gz`, "gzip"),
		compressed("ZIP", `\.zip`, "zip"),
		compressed("Snappy", `\.snappy`, "snappy-java"),
		compressed("HADOOP_SNAPPY", `\.snappy`, "hadoop-snappy"),
		Case{Name: "the version in the key", Source: "DG-new, facts 4.2", Steps: []Step{create(""), update("1", `"Prefix":"p/"`), put("a"), delivered(Object{Key: `^p/` + folder + `{s}-2-` + stamp, Body: "a"})}},
		Case{Name: "a backup of all", Source: "BOTO, facts 1.8", Steps: []Step{
			create(`,"Prefix":"p/","S3BackupMode":"Enabled","S3BackupConfiguration":{` + arns + `,"Prefix":"b/"}`), put("a"),
			delivered(Object{Key: `^p/`, Body: "a"}, Object{Key: `^b/` + folder, Body: "a"}),
		}},
	)
}

func signatureCases() []Case {
	signed := func(how, source, code, message string) Case {
		return single("signed "+how, source, Step{Op: "ListDeliveryStreams", In: "{}", Sign: how, Want: Want{Code: code, Message: message}})
	}
	const common = "AWS's common errors, facts 1.4 (words of AWS, package awsapi)"
	return list(
		"signatures",
		signed("with another secret", common, "InvalidSignatureException", ""),
		signed("with an unknown key", common, "UnrecognizedClientException", ""),
		signed("for another service", common, "InvalidSignatureException", ""),
		signed("20 minutes ago", common, "InvalidSignatureException", "~^Signature expired: "),
		signed("in 20 minutes", common, "InvalidSignatureException", "~^Signature not yet current: "),
		signed(unsigned, common, "MissingAuthenticationTokenException", ""),
	)
}

// toolCases are what Terraform and the CDK send, and what they read afterwards: a
// member that differs then is drift.
func toolCases() []Case {
	// Terraform sends what its schema has defaults for, whether it was written or not.
	terraform := `"BufferingHints":{"IntervalInSeconds":300,"SizeInMBs":5},"Prefix":"tf/","CompressionFormat":"UNCOMPRESSED","EncryptionConfiguration":{"NoEncryptionConfig":"NoEncryption"},
		"CloudWatchLoggingOptions":{"Enabled":false},"S3BackupMode":"Disabled","ProcessingConfiguration":{"Enabled":false,"Processors":[]}`
	withLambda := `"BufferingHints":{"IntervalInSeconds":60,"SizeInMBs":64},"CompressionFormat":"GZIP","EncryptionConfiguration":{"NoEncryptionConfig":"NoEncryption"},
		"CloudWatchLoggingOptions":{"Enabled":true,"LogGroupName":"/aws/kinesisfirehose/x","LogStreamName":"DestinationDelivery"},"S3BackupMode":"Disabled",
		"ProcessingConfiguration":{"Enabled":true,"Processors":[{"Type":"Lambda","Parameters":[{"ParameterName":"LambdaArn","ParameterValue":"arn:aws:lambda:us-east-1:123456789012:function:f:$LATEST"}]}]}`
	// AWS adds its defaults to a function's parameters, which Terraform leaves out of
	// what it compares.
	lambdaSeen := withLambda[:len(withLambda)-len(`"Parameters":[{"ParameterName":"LambdaArn","ParameterValue":"arn:aws:lambda:us-east-1:123456789012:function:f:$LATEST"}]}]}`)] + `"Parameters":[
		{"ParameterName":"LambdaArn","ParameterValue":"arn:aws:lambda:us-east-1:123456789012:function:f:$LATEST"},{"ParameterName":"NumberOfRetries","ParameterValue":"3"},
		{"ParameterName":"RoleArn","ParameterValue":"` + role + `"},{"ParameterName":"BufferSizeInMBs","ParameterValue":"1"},{"ParameterName":"BufferIntervalInSeconds","ParameterValue":"60"}]}]}`
	// The CDK's S3Bucket leaves out what was not given, and logs by default.
	cdk := `"CloudWatchLoggingOptions":{"Enabled":true,"LogGroupName":"Stack-LogGroup-1","LogStreamName":"Stack-S3Destination-1"}`
	cdkFull := cdk + `,"BufferingHints":{"IntervalInSeconds":60,"SizeInMBs":1},"CompressionFormat":"Snappy","Prefix":"d/","ErrorOutputPrefix":"e/","FileExtension":".x","CustomTimeZone":"Asia/Tokyo"`
	settled := func(what, source, sent, seen string) Case {
		return Case{Name: what, Source: source, Steps: []Step{
			creating(`"DeliveryStreamType":"DirectPut",` + extended(","+sent)),
			describedS3("1", arns+","+seen),
			update("1", arns+","+sent),
			described(`"VersionId":"1","Destinations":[{"DestinationId":"` + destination + `","ExtendedS3DestinationDescription":{` + arns + "," + seen + `}}]`),
		}}
	}
	const tf, l2 = "terraform-provider-aws's delivery_stream.go; no bump STACKD, facts 1.8", "CDK, facts 6; no bump STACKD, facts 1.8"
	none := `{"Enabled":false}`
	return list(
		"tools",
		settled("Terraform: the least", tf, terraform, terraform),
		settled("Terraform: a function", tf, withLambda, lambdaSeen),
		settled("Terraform: no prefix, logging off", tf, `"CloudWatchLoggingOptions":`+none+`,"CompressionFormat":"ZIP","S3BackupMode":"Disabled"`, `"CloudWatchLoggingOptions":`+none+`,"CompressionFormat":"ZIP","S3BackupMode":"Disabled"`),
		settled("CDK: the least", l2, cdk, cdk+`,"BufferingHints":{"IntervalInSeconds":300,"SizeInMBs":5}`),
		settled("CDK: everything of a bucket", l2, cdkFull, cdkFull),
		Case{Name: "Terraform: an endpoint", Source: tf, Steps: []Step{
			creating(`"DeliveryStreamType":"DirectPut",` + endpoint(`"Url":"https://example.com/in","Name":"n","AccessKey":"k"`, `,"BufferingHints":{"IntervalInSeconds":300,"SizeInMBs":5},"RetryOptions":{"DurationInSeconds":300},"S3BackupMode":"FailedDataOnly","RequestConfiguration":{"ContentEncoding":"GZIP","CommonAttributes":[{"AttributeName":"a","AttributeValue":"b"}]}`)),
			described(`"VersionId":"1","Destinations":[{"HttpEndpointDestinationDescription":{"EndpointConfiguration":{"Url":"https://example.com/in","Name":"n"},"BufferingHints":{"IntervalInSeconds":300,"SizeInMBs":5},"RetryOptions":{"DurationInSeconds":300},"S3BackupMode":"FailedDataOnly",
				"RequestConfiguration":{"ContentEncoding":"GZIP","CommonAttributes":[{"AttributeName":"a","AttributeValue":"b"}]},"S3DestinationDescription":{` + arns + `}}}]`),
			onStream("UpdateDestination", `,"CurrentDeliveryStreamVersionId":"1","DestinationId":"`+destination+`","HttpEndpointDestinationUpdate":{"EndpointConfiguration":{"Url":"https://example.com/in","Name":"n","AccessKey":"k"},"RetryOptions":{"DurationInSeconds":300},"S3BackupMode":"FailedDataOnly"}`),
			described(`"VersionId":"1"`),
		}},
		Case{Name: "Terraform: tags and encryption", Source: tf, Steps: []Step{
			creating(extended(","+terraform) + `,"DeliveryStreamEncryptionConfigurationInput":{"KeyType":"AWS_OWNED_CMK"},"Tags":[{"Key":"Name","Value":"x"}]`),
			described(`"DeliveryStreamEncryptionConfiguration":{"Status":"~^ENABL","KeyType":"AWS_OWNED_CMK"}`),
			onStream("ListTagsForDeliveryStream", "").gives(`{"Tags":[{"Key":"Name","Value":"x"}],"HasMoreTags":false}`),
		}},
	)
}
