package conformance

import (
	"fmt"
	"strings"
)

func nameCases() []Case {
	missing := "Firehose {s} under account 123456789012 not found."
	gone := func(op, more string) Case {
		return single("not found by "+op, "moto, facts 1.7; GO, facts 1.4", onStream(op, more).refused("ResourceNotFoundException", missing))
	}
	named := func(name, constraint string) Step {
		return Step{Op: "CreateDeliveryStream", In: `{"DeliveryStreamName":"` + name + `",` + extended("") + `}`}.refused(validation, mismatch+constraint)
	}
	return list(
		"names",
		withStream("name in use", "STACKD, facts 1.7", create("").refused("ResourceInUseException", "Firehose {s} under accountId 123456789012 already exists")),
		single("name of 65 characters", "BOTO, facts 1.8; form BLOG-KR, facts 1.7", named(strings.Repeat("n", 65), `have length less than or equal to 64$`)),
		single("name with a space", "BOTO, facts 1.8; form BLOG-KR, facts 1.7", named("a b", `satisfy regular expression pattern: \[a-zA-Z0-9_\.-\]\+$`)),
		gone("DescribeDeliveryStream", ""),
		gone("DeleteDeliveryStream", ""),
		gone("PutRecord", `,"Record":{"Data":"YQ=="}`),
		gone("PutRecordBatch", `,"Records":[{"Data":"YQ=="}]`),
		gone("ListTagsForDeliveryStream", ""),
		gone("TagDeliveryStream", `,"Tags":[{"Key":"k"}]`),
		gone("UntagDeliveryStream", `,"TagKeys":["k"]`),
		gone("StartDeliveryStreamEncryption", ""),
		gone("StopDeliveryStreamEncryption", ""),
		gone("UpdateDestination", `,"CurrentDeliveryStreamVersionId":"1","DestinationId":"`+destination+`","ExtendedS3DestinationUpdate":{}`),
		withStream("deleted and made again", "BOTO, facts 1.8", onStream("DeleteDeliveryStream", ""), create(""), described(`"VersionId":"1"`)),
	)
}

func createCases() []Case {
	bad := func(name, source, members, path, constraint string) Case {
		return single(name, source, create(members).refused(validation, mismatch[:len(mismatch)-len("Value .* failed to satisfy constraint: Member must ")]+
			"Value .*at 'extendedS3DestinationConfiguration."+path+"' failed to satisfy constraint: Member must "+constraint))
	}
	const (
		model       = "BOTO, facts 1.8; form BLOG-KR, facts 1.7"
		zoneRefused = "Provided custom time zone is not supported. Custom time zones are limited to UTC and non-3-letter IANA time zones."
	)
	return list(
		"create",
		single("no destination", "FLOCI, STACKD, moto, facts 1.7", Step{Op: "CreateDeliveryStream", In: `{"DeliveryStreamName":"{s}"}`}.
			refused(unprivileged, "Exactly one destination configuration is supported for a Firehose")),
		single("two destinations", "BOTO, facts 1.8 (exactly one destination)", creating(extended("")+`,"S3DestinationConfiguration":{`+arns+`}`).refused(unprivileged, "")),
		single("compression in the wrong case", "FLOCI, facts 1.7", create(`,"CompressionFormat":"gzip"`).refused(validation,
			"1 validation error detected: Value 'gzip' at 'extendedS3DestinationConfiguration.compressionFormat' failed to satisfy constraint: Member must satisfy enum value set: [ZIP, HADOOP_SNAPPY, Snappy, GZIP, UNCOMPRESSED]")),
		bad("buffer of 129 MiB", model, `,"BufferingHints":{"SizeInMBs":129,"IntervalInSeconds":300}`, `bufferingHints\.sizeInMBs`, "have value less than or equal to 128$"),
		bad("buffer of 0 MiB", model, `,"BufferingHints":{"SizeInMBs":0,"IntervalInSeconds":300}`, `bufferingHints\.sizeInMBs`, "have value greater than or equal to 1$"),
		bad("interval of 901 s", model, `,"BufferingHints":{"SizeInMBs":5,"IntervalInSeconds":901}`, `bufferingHints\.intervalInSeconds`, "have value less than or equal to 900$"),
		single("two violations in one message", "form, facts 1.7; BOTO, facts 1.8", create(`,"BufferingHints":{"SizeInMBs":0,"IntervalInSeconds":901}`).refused(validation, "~^2 validation errors detected: .*; .*")),
		single("interval of 0 s", "BOTO, facts 1.8; facts 2 (0 since 2023)", create(`,"BufferingHints":{"SizeInMBs":1,"IntervalInSeconds":0}`)),
		single("one hint without the other", "BOTO, facts 1.8 (both or neither)", create(`,"BufferingHints":{"SizeInMBs":5}`).refused(unprivileged, "")),
		bad("file extension without a dot", "FLOCI (path), facts 1.7; BOTO, facts 1.8", `,"FileExtension":"log"`, `fileExtension`, `satisfy regular expression pattern: `),
		bad("time zone with a digit", model, `,"CustomTimeZone":"UTC+1"`, `customTimeZone`, `satisfy regular expression pattern: `),
		single("a time zone of the list", "PREFLIGHT, DG-new", create(`,"CustomTimeZone":"Asia/Calcutta"`)),
		single("a time zone by its new name", "PREFLIGHT", create(`,"CustomTimeZone":"Asia/Kolkata"`).refused(unprivileged, zoneRefused)),
		single("a time zone of three letters", "PREFLIGHT", create(`,"CustomTimeZone":"EST"`).refused(unprivileged, zoneRefused)),
		bad("prefix of 1,025 characters", model, `,"Prefix":"`+strings.Repeat("p", 1025)+`"`, `prefix`, "have length less than or equal to 1024$"),
		bad("role that is no ARN", model, `,"RoleARN":"r"`, `roleARN`, `satisfy regular expression pattern: `),
		bad("bucket that is no ARN", model, `,"BucketARN":"b"`, `bucketARN`, `satisfy regular expression pattern: `),
		bad("retries of 7,201 s", model, `,"DynamicPartitioningConfiguration":{"RetryOptions":{"DurationInSeconds":7201}}`, `dynamicPartitioningConfiguration\.retryOptions\.durationInSeconds`, "have value less than or equal to 7200$"),
		single("throughput hint of 101 MB", model, creating(extended("")+`,"DirectPutSourceConfiguration":{"ThroughputHintInMBs":101}`).refused(validation, "~'directPutSourceConfiguration.throughputHintInMBs' failed to satisfy constraint: Member must have value less than or equal to 100$")),
		single("51 tags", "BOTO, facts 1.8", creating(extended("")+`,"Tags":[`+strings.Join(tags(51), ",")+`]`).refused(validation, "~at 'tags' failed to satisfy constraint: Member must have length less than or equal to 50$")),
		single("an endpoint by http", "BOTO, facts 1.8", creating(endpoint(`"Url":"http://example.com"`, "")).refused(validation, `~at 'httpEndpointDestinationConfiguration\.endpointConfiguration\.url' failed to satisfy constraint: Member must satisfy regular expression pattern: https://\.\*$`)),
		single("logging without a group", "BOTO, facts 1.8 (both needed when enabled)", create(`,"CloudWatchLoggingOptions":{"Enabled":true}`).refused(unprivileged, "")),
		single("a backup every 59 s", "STACKD, facts 2 (min 60)", create(`,"S3BackupMode":"Enabled","S3BackupConfiguration":{`+arns+`,"BufferingHints":{"SizeInMBs":5,"IntervalInSeconds":59}}`).refused(unprivileged, "")),
		single("a customer's key without an ARN", "BOTO, facts 1.8", creating(extended("")+`,"DeliveryStreamEncryptionConfigurationInput":{"KeyType":"CUSTOMER_MANAGED_CMK"}`).refused(unprivileged, "")),
		single("a key by its alias", "BOTO, facts 1.8 (key only)", creating(extended("")+`,"DeliveryStreamEncryptionConfigurationInput":{"KeyType":"CUSTOMER_MANAGED_CMK","KeyARN":"arn:aws:kms:us-east-1:123456789012:alias/a"}`).
			refused(validation, "~at 'deliveryStreamEncryptionConfigurationInput.keyARN' failed to satisfy constraint: Member must satisfy regular expression pattern: ")),
		single("an ARN in the answer", "BOTO, facts 1.8", create("").gives(`{"DeliveryStreamARN":"arn:aws:firehose:us-east-1:123456789012:deliverystream/{s}"}`)),
	)
}

// endpoint is an HTTP endpoint as a destination.
func endpoint(configuration, more string) string {
	return `"HttpEndpointDestinationConfiguration":{"EndpointConfiguration":{` + configuration + `},"S3Configuration":{` + arns + `}` + more + `}`
}

func tags(n int) (list []string) {
	for i := range n {
		list = append(list, fmt.Sprintf(`{"Key":"k%02d","Value":"v"}`, i))
	}
	return list
}

func describeCases() []Case {
	const seen = "LSSNAP, STACKD, facts 1.8"
	plain := `"RoleARN":"` + role + `","BucketARN":"arn:aws:s3:::{b}","BufferingHints":{"SizeInMBs":5,"IntervalInSeconds":300},"CompressionFormat":"UNCOMPRESSED","EncryptionConfiguration":{"NoEncryptionConfig":"NoEncryption"},"CloudWatchLoggingOptions":{"Enabled":false}`
	return list(
		"describe",
		withStream("version, type and status", seen, described(`"DeliveryStreamName":"{s}","VersionId":"1","DeliveryStreamType":"DirectPut","DeliveryStreamStatus":"ACTIVE","HasMoreDestinations":false`)),
		withStream("both descriptions of a bucket", seen, described(`"Destinations":[{"S3DestinationDescription":{"BucketARN":"arn:aws:s3:::{b}"},"ExtendedS3DestinationDescription":{"BucketARN":"arn:aws:s3:::{b}"}}]`)),
		withStream("buffering hints of 5 MiB and 300 s", seen, describedS3("1", `"BufferingHints":{"SizeInMBs":5,"IntervalInSeconds":300}`)),
		withStream("compression and encryption", seen, describedS3("1", `"CompressionFormat":"UNCOMPRESSED","EncryptionConfiguration":{"NoEncryptionConfig":"NoEncryption"}`)),
		withStream("logging and backup are off", seen, describedS3("1", `"CloudWatchLoggingOptions":{"Enabled":false},"S3BackupMode":"Disabled"`)),
		withStream("defaults in the plain description", seen, described(`"Destinations":[{"S3DestinationDescription":{`+plain+`}}]`)),
		withStream("destination id", seen, described(`"Destinations":[{"DestinationId":"`+destination+`"}]`)),
		withStream("encryption is DISABLED", seen, described(`"DeliveryStreamEncryptionConfiguration":{"Status":"DISABLED"}`)),
		withStream("no update time before the first update", seen, described(`"LastUpdateTimestamp":null`)),
		withStream("an unknown cursor shows the destination", "STACKD, facts 1.8", onStream("DescribeDeliveryStream", `,"ExclusiveStartDestinationId":"x"`).
			gives(`{"DeliveryStreamDescription":{"Destinations":[{"DestinationId":"`+destination+`"}]}}`)),
		withStream("limit of 0", "BOTO, facts 1.8", onStream("DescribeDeliveryStream", `,"Limit":0`).refused(validation, "~at 'limit' failed to satisfy constraint: Member must have value greater than or equal to 1$")),
		Case{Name: "the access key is not told", Source: "BOTO, facts 1.8", Steps: []Step{
			creating(endpoint(`"Url":"https://example.com","Name":"n","AccessKey":"geheim"`, "")),
			described(`"Destinations":[{"HttpEndpointDestinationDescription":{"EndpointConfiguration":{"Url":"https://example.com","Name":"n","AccessKey":null}}}]`),
		}},
		Case{Name: "defaults of partitioning", Source: "LSSNAP, facts 2 (300 s)", Steps: []Step{
			create(partitioning("!{partitionKeyFromQuery:k}/", `,"BufferingHints":{"SizeInMBs":64,"IntervalInSeconds":60}`)),
			describedS3("1", `"DynamicPartitioningConfiguration":{"Enabled":true,"RetryOptions":{"DurationInSeconds":300}}`),
		}},
	)
}

func updateCases() []Case {
	const merge = "BOTO, STACKD, facts 1.8"
	return list(
		"update",
		withStream("another version", "STACKD, facts 1.7", update("7", `"Prefix":"p/"`).refused("ConcurrentModificationException", "Cannot update firehose: {s} since the current version id: 1 and specified version id: 7 do not match")),
		withStream("an unknown destination", "STACKD, facts 1.7", onStream("UpdateDestination", `,"CurrentDeliveryStreamVersionId":"1","DestinationId":"destinationId-000000000009","ExtendedS3DestinationUpdate":{"Prefix":"p/"}`).
			refused(unprivileged, "Destination Id destinationId-000000000009 not found")),
		withStream("a version that is no number", "BOTO, facts 1.8", update("v1", `"Prefix":"p/"`).refused(validation, "~at 'currentDeliveryStreamVersionId' failed to satisfy constraint: Member must satisfy regular expression pattern: ")),
		withStream("the version goes up", merge, update("1", `"Prefix":"p/"`), describedS3("2", `"Prefix":"p/"`)),
		withStream("an update time after the first update", merge, update("1", `"Prefix":"p/"`), described(`"LastUpdateTimestamp":"~"`)),
		Case{Name: "members that are left out stay", Source: merge, Steps: []Step{
			create(`,"Prefix":"p/","CompressionFormat":"GZIP"`), update("1", `"BufferingHints":{"SizeInMBs":9,"IntervalInSeconds":99}`),
			describedS3("2", `"Prefix":"p/","CompressionFormat":"GZIP","BufferingHints":{"SizeInMBs":9,"IntervalInSeconds":99}`),
		}},
		Case{Name: "both descriptions follow an update", Source: merge, Steps: []Step{
			create(`,"Prefix":"p/"`), update("1", `"CompressionFormat":"GZIP"`),
			described(`"Destinations":[{"S3DestinationDescription":{"Prefix":"p/","CompressionFormat":"GZIP"},"ExtendedS3DestinationDescription":{"Prefix":"p/","CompressionFormat":"GZIP"}}]`),
		}},
		withStream("an empty update leaves the version", "STACKD, facts 1.8", update("1", ""), described(`"VersionId":"1"`)),
		Case{Name: "an update to the same leaves the version", Source: "STACKD, facts 1.8", Steps: []Step{create(`,"Prefix":"p/"`), update("1", `"Prefix":"p/"`), described(`"VersionId":"1"`)}},
		withStream("the old version is refused afterwards", "STACKD, facts 1.7", update("1", `"Prefix":"p/"`), update("1", `"Prefix":"q/"`).
			refused("ConcurrentModificationException", "Cannot update firehose: {s} since the current version id: 2 and specified version id: 1 do not match")),
		Case{Name: "processors are replaced as a whole, and stay on", Source: "FLOCI, STACKD, facts 1.8", Steps: []Step{
			create(`,"ProcessingConfiguration":{"Enabled":true,"Processors":[{"Type":"AppendDelimiterToRecord"}]}`),
			update("1", `"ProcessingConfiguration":{"Processors":[{"Type":"Decompression","Parameters":[{"ParameterName":"CompressionFormat","ParameterValue":"GZIP"}]}]}`),
			describedS3("2", `"ProcessingConfiguration":{"Enabled":true,"Processors":[{"Type":"Decompression"}]}`),
		}},
		Case{Name: "a backup can't be disabled", Source: "BOTO, facts 1.8", Steps: []Step{
			create(`,"S3BackupMode":"Enabled","S3BackupConfiguration":{` + arns + `,"Prefix":"b/"}`), update("1", `"S3BackupMode":"Disabled"`).refused(unprivileged, ""),
		}},
		withStream("another type keeps nothing", "BOTO, facts 1.8", onStream("UpdateDestination", `,"CurrentDeliveryStreamVersionId":"1","DestinationId":"`+destination+`","HttpEndpointDestinationUpdate":{"EndpointConfiguration":{"Url":"https://example.com"},"S3Update":{`+arns+`}}`),
			described(`"VersionId":"2","Destinations":[{"DestinationId":"`+destination+`","ExtendedS3DestinationDescription":null,"HttpEndpointDestinationDescription":{"EndpointConfiguration":{"Url":"https://example.com"}}}]`)),
	)
}

func listCases() []Case {
	const source = "BOTO, facts 1.8"
	three := func(more ...Step) []Step {
		var steps []Step
		for _, name := range []string{"b", "B", "a"} {
			steps = append(steps, Step{Op: "CreateDeliveryStream", In: `{"DeliveryStreamName":"{s}-` + name + `",` + extended("") + `}`})
		}
		return append(steps, more...)
	}
	names := func(more string, have string) Step {
		return Step{Op: "ListDeliveryStreams", In: `{` + more + `}`}.gives(have)
	}
	var eleven []Step
	var ten []string
	for i := range 11 {
		name := fmt.Sprintf("{s}-%02d", i)
		eleven = append(eleven, Step{Op: "CreateDeliveryStream", In: `{"DeliveryStreamName":"` + name + `",` + extended("") + `}`})
		ten = append(ten, `"`+name+`"`)
	}
	return list(
		"list",
		Case{Name: "names in order", Source: source, Steps: three(names("", `{"DeliveryStreamNames":["{s}-B","{s}-a","{s}-b"],"HasMoreDeliveryStreams":false}`))},
		Case{Name: "a limit", Source: source, Steps: three(names(`"Limit":2`, `{"DeliveryStreamNames":["{s}-B","{s}-a"],"HasMoreDeliveryStreams":true}`))},
		Case{Name: "the start is left out", Source: source, Steps: three(names(`"ExclusiveStartDeliveryStreamName":"{s}-a"`, `{"DeliveryStreamNames":["{s}-b"],"HasMoreDeliveryStreams":false}`))},
		Case{Name: "a start that is no stream", Source: source + " (a lexical cursor)", Steps: three(names(`"ExclusiveStartDeliveryStreamName":"{s}-aa"`, `{"DeliveryStreamNames":["{s}-b"],"HasMoreDeliveryStreams":false}`))},
		Case{Name: "ten names by default", Source: source, Steps: append(eleven, names("", `{"DeliveryStreamNames":[`+strings.Join(ten[:10], ",")+`],"HasMoreDeliveryStreams":true}`))},
		Case{Name: "by type", Source: source, Steps: three(names(`"DeliveryStreamType":"KinesisStreamAsSource"`, `{"DeliveryStreamNames":[],"HasMoreDeliveryStreams":false}`))},
		single("list with a limit of 0", source, names(`"Limit":0`, "").refused(validation, "~at 'limit' failed to satisfy constraint: Member must have value greater than or equal to 1$")),
		single("list with an unknown type", source, names(`"DeliveryStreamType":"x"`, "").refused(validation, "~at 'deliveryStreamType' failed to satisfy constraint: Member must satisfy enum value set: ")),
	)
}

func tagCases() []Case {
	const source = "BOTO, facts 1.8"
	tag := func(list string) Step { return onStream("TagDeliveryStream", `,"Tags":[`+list+`]`) }
	listed := func(more, fields string) Step { return onStream("ListTagsForDeliveryStream", more).gives(fields) }
	two := `{"Key":"a","Value":"1"},{"Key":"b","Value":"2"}`
	return list(
		"tags",
		Case{Name: "tags at creation", Source: source, Steps: []Step{creating(extended("") + `,"Tags":[` + two + `]`), listed("", `{"Tags":[`+two+`],"HasMoreTags":false}`)}},
		withStream("of two with one key the last", "STACKD, facts 1.8", tag(`{"Key":"a","Value":"0"},{"Key":"a","Value":"1"}`), listed("", `{"Tags":[{"Key":"a","Value":"1"}]}`)),
		withStream("a value is replaced", source, tag(`{"Key":"a","Value":"0"}`), tag(two), listed("", `{"Tags":[`+two+`]}`)),
		withStream("untag", source, tag(two), onStream("UntagDeliveryStream", `,"TagKeys":["a","none"]`), listed("", `{"Tags":[{"Key":"b","Value":"2"}]}`)),
		withStream("a limit of tags", source, tag(two), listed(`,"Limit":1`, `{"Tags":[{"Key":"a"}],"HasMoreTags":true}`)),
		withStream("the start of tags is left out", source, tag(two), listed(`,"ExclusiveStartTagKey":"a"`, `{"Tags":[{"Key":"b"}],"HasMoreTags":false}`)),
		withStream("50 tags", source, tag(strings.Join(tags(50), ",")), listed("", `{"Tags":[`+strings.Join(tags(50), ",")+`],"HasMoreTags":false}`)),
		withStream("a 51st tag", "BOTO, facts 1.4, 1.8", tag(strings.Join(tags(50), ",")), tag(`{"Key":"z"}`).refused("LimitExceededException", "")),
		withStream("51 tags in a call", source, tag(strings.Join(tags(51), ",")).refused(validation, "~at 'tags' failed to satisfy constraint: Member must have length less than or equal to 50$")),
		withStream("a key that begins with aws:", source, tag(`{"Key":"aws:k"}`).refused(validation, `~at 'tags\.1\.member\.key' failed to satisfy constraint: Member must satisfy regular expression pattern: `)),
		withStream("a key of 129 characters", source, tag(`{"Key":"`+strings.Repeat("k", 129)+`"}`).refused(validation, `~at 'tags\.1\.member\.key' failed to satisfy constraint: Member must have length less than or equal to 128$`)),
		withStream("a value of 257 characters", source, tag(`{"Key":"k","Value":"`+strings.Repeat("v", 257)+`"}`).refused(validation, `~at 'tags\.1\.member\.value' failed to satisfy constraint: Member must have length less than or equal to 256$`)),
		withStream("a limit of 51 tags", source, onStream("ListTagsForDeliveryStream", `,"Limit":51`).refused(validation, "~at 'limit' failed to satisfy constraint: Member must have value less than or equal to 50$")),
	)
}

func encryptionCases() []Case {
	const source = "BOTO, facts 1.8"
	state := func(fields string) Step { return described(`"DeliveryStreamEncryptionConfiguration":{` + fields + `}`) }
	start := onStream("StartDeliveryStreamEncryption", "")
	return list(
		"encryption",
		withStream("AWS's key by default", source, start, state(`"Status":"~^ENABL(ED|ING)$","KeyType":"AWS_OWNED_CMK"`)),
		withStream("a customer's key", source, onStream("StartDeliveryStreamEncryption", `,"DeliveryStreamEncryptionConfigurationInput":{"KeyType":"CUSTOMER_MANAGED_CMK","KeyARN":"`+key+`"}`),
			state(`"Status":"~^ENABL(ED|ING)$","KeyType":"CUSTOMER_MANAGED_CMK","KeyARN":"`+key+`"`)),
		Case{Name: "from the beginning", Source: source, Steps: []Step{
			creating(extended("") + `,"DeliveryStreamEncryptionConfigurationInput":{"KeyType":"AWS_OWNED_CMK"}`), state(`"Status":"~^ENABL(ED|ING)$","KeyType":"AWS_OWNED_CMK"`),
		}},
		Case{Name: "switched off", Source: source, Steps: []Step{
			creating(extended("") + `,"DeliveryStreamEncryptionConfigurationInput":{"KeyType":"AWS_OWNED_CMK"}`), onStream("StopDeliveryStreamEncryption", ""), state(`"Status":"~^DISABL(ED|ING)$"`),
		}},
		withStream("a put says that it is encrypted", "BOTO, facts 1.6", start, putOne("a").gives(`{"Encrypted":true}`)),
		Case{Name: "a 26th switch in 24 hours", Source: "BOTO, facts 1.8", Steps: append(append([]Step{create("")}, repeated(25, start)...), start.refused("LimitExceededException", ""))},
		withStream("an unknown type of key", source, onStream("StartDeliveryStreamEncryption", `,"DeliveryStreamEncryptionConfigurationInput":{"KeyType":"AES"}`).
			refused(validation, "~at 'deliveryStreamEncryptionConfigurationInput.keyType' failed to satisfy constraint: Member must satisfy enum value set: ")),
	)
}
