package server

import (
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

func TestDecodeCreate(t *testing.T) {
	const arns = `"RoleARN":"arn:aws:iam::000000000000:role/r","BucketARN":"arn:aws:s3:::b"`
	basic := S3Destination{
		RoleARN: "arn:aws:iam::000000000000:role/r", BucketARN: "arn:aws:s3:::b",
		SizeInMBs: 5, IntervalInSeconds: 300, CompressionFormat: "UNCOMPRESSED",
	}
	full := basic
	full.Prefix, full.ErrorOutputPrefix, full.SizeInMBs, full.IntervalInSeconds = "a/b-", "e/", 1, 900
	full.CompressionFormat, full.FileExtension, full.CustomTimeZone = "GZIP", ".log", "Europe/Berlin"
	for _, tt := range []struct{ what, body string }{
		{"extended", creation("s", "")},
		{"plain", `{"DeliveryStreamName":"s","S3DestinationConfiguration":{` + arns + `}}`},
		{"null is absent", `{"DeliveryStreamName":"s","S3DestinationConfiguration":null,"Tags":null,"ExtendedS3DestinationConfiguration":{` + arns + `,"ProcessingConfiguration":null,"Prefix":null,"BufferingHints":null}}`},
		{"what is off", `{"DeliveryStreamName":"s","DeliveryStreamType":"DirectPut","DirectPutSourceConfiguration":{"ThroughputHintInMBs":100},"ExtendedS3DestinationConfiguration":{` + arns + `,
			"BufferingHints":{},"S3BackupMode":"Disabled","EncryptionConfiguration":{"NoEncryptionConfig":"NoEncryption"},"CloudWatchLoggingOptions":{"Enabled":false,"LogGroupName":"g"},
			"ProcessingConfiguration":{"Enabled":false,"Processors":[]},"DataFormatConversionConfiguration":{"Enabled":false},"DynamicPartitioningConfiguration":{"Enabled":false}}}`},
	} {
		got, err := decodeCreate([]byte(tt.body))
		if diff := gocmp.Diff(&CreateDeliveryStreamInput{"s", basic}, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got)\n%s", tt.what, err, diff)
		}
	}
	got, err := decodeCreate([]byte(creation("s", `,"Prefix":"a/b-","ErrorOutputPrefix":"e/","BufferingHints":{"SizeInMBs":1,"IntervalInSeconds":900},
		"CompressionFormat":"GZIP","FileExtension":".log","CustomTimeZone":"Europe/Berlin"`)))
	if diff := gocmp.Diff(&CreateDeliveryStreamInput{"s", full}, got); err != nil || diff != "" {
		t.Errorf("all settings: %v (-want +got)\n%s", err, diff)
	}
}

func TestCreateRefusals(t *testing.T) {
	h, m := open(t)
	const (
		arns     = `"RoleARN":"arn:aws:iam::000000000000:role/r","BucketARN":"arn:aws:s3:::b"`
		at       = "ValidationException: 1 validation error detected: Value "
		must     = " failed to satisfy constraint: Member must "
		here     = "ExtendedS3DestinationConfiguration."
		exactly  = "InvalidArgumentException: Exactly one destination configuration is supported for a Firehose"
		received = "InvalidArgumentException: The local Firehose does not support "
	)
	plain := func(more string) string {
		return `{"DeliveryStreamName":"x",` + more + `"S3DestinationConfiguration":{` + arns + `}}`
	}
	for _, tt := range []struct{ body, want string }{
		// The form.
		{``, "SerializationException: "},
		{`null`, "SerializationException: the body must be a JSON object"},
		{`[]`, "SerializationException: "},
		{`{"DeliveryStreamName":1}`, "SerializationException: DeliveryStreamName is not valid JSON"},
		{`{"DeliveryStreamName":"x","S3DestinationConfiguration":"b"}`, "SerializationException: S3DestinationConfiguration is not valid JSON"},
		{creation("x", `,"BufferingHints":{"SizeInMBs":1.5}`), "SerializationException: " + here + "BufferingHints.SizeInMBs is not valid JSON"},
		// The model's constraints, all in one message.
		{`{"S3DestinationConfiguration":{}}`, "ValidationException: 3 validation errors detected: Value null at 'deliveryStreamName'" + must + "not be null; Value null at 's3DestinationConfiguration.roleARN'" + must + "not be null; Value null at 's3DestinationConfiguration.bucketARN'" + must + "not be null"},
		{creation(strings.Repeat("n", 65), ""), at + "'" + strings.Repeat("n", 65) + "' at 'deliveryStreamName'" + must + "have length less than or equal to 64"},
		{creation("x", `,"RoleARN":"r"`), at + "'r' at 'extendedS3DestinationConfiguration.roleARN'" + must + `satisfy regular expression pattern: arn:.*:iam::\d{12}:role/[a-zA-Z_0-9+=,.@\-_/]+`},
		{creation("x", `,"BucketARN":"b"`), at + "'b' at 'extendedS3DestinationConfiguration.bucketARN'" + must + `satisfy regular expression pattern: arn:.*:s3:::[\w\.\-]{1,255}`},
		{creation("x", `,"BucketARN":"arn:aws:s3:::b/c"`), at},
		{creation("x", `,"Prefix":"`+strings.Repeat("é", 1025)+`"`), at + "'" + strings.Repeat("é", 1025) + "' at 'extendedS3DestinationConfiguration.prefix'" + must + "have length less than or equal to 1024"},
		{creation("x", `,"BufferingHints":{"SizeInMBs":129,"IntervalInSeconds":300}`), at + "'129' at 'extendedS3DestinationConfiguration.bufferingHints.sizeInMBs'" + must + "have value less than or equal to 128"},
		{creation("x", `,"BufferingHints":{"SizeInMBs":0,"IntervalInSeconds":901}`), "ValidationException: 2 validation errors detected: Value '0' at 'extendedS3DestinationConfiguration.bufferingHints.sizeInMBs'" + must + "have value greater than or equal to 1; Value '901'"},
		{creation("x", `,"CompressionFormat":"gzip"`), at + "'gzip' at 'extendedS3DestinationConfiguration.compressionFormat'" + must + "satisfy enum value set: [ZIP, HADOOP_SNAPPY, Snappy, GZIP, UNCOMPRESSED]"},
		{creation("x", `,"FileExtension":"log"`), at + "'log' at 'extendedS3DestinationConfiguration.fileExtension'" + must + `satisfy regular expression pattern: ^$|\.[0-9a-z!\-_.*'()]+`},
		{creation("x", `,"CustomTimeZone":"UTC+1"`), at + "'UTC+1' at 'extendedS3DestinationConfiguration.customTimeZone'" + must + `satisfy regular expression pattern: ^$|[a-zA-Z/_]+`},
		{creation("x", `,"S3BackupMode":"All"`), at + "'All' at 'extendedS3DestinationConfiguration.s3BackupMode'"},
		{plain(`"DeliveryStreamType":"directput",`), at + "'directput' at 'deliveryStreamType'"},
		{plain(`"DirectPutSourceConfiguration":{"ThroughputHintInMBs":101},`), at + "'101' at 'directPutSourceConfiguration.throughputHintInMBs'"},
		{plain(`"DirectPutSourceConfiguration":{},`), at + "null at 'directPutSourceConfiguration.throughputHintInMBs'"},
		// What does not go together.
		{`{"DeliveryStreamName":"x"}`, exactly},
		{plain(`"ExtendedS3DestinationConfiguration":{` + arns + `},`), exactly},
		{plain(`"SplunkDestinationConfiguration":{},`), exactly},
		{creation("x", `,"BufferingHints":{"SizeInMBs":5}`), "InvalidArgumentException: " + here + "BufferingHints must have both SizeInMBs and IntervalInSeconds, or be left out"},
		// What the local Firehose cannot do.
		{`{"DeliveryStreamName":"x","HttpEndpointDestinationConfiguration":{}}`, received + "HttpEndpointDestinationConfiguration yet."},
		{plain(`"DeliveryStreamType":"MSKAsSource","MSKSourceConfiguration":{},`), received + "DeliveryStreamType MSKAsSource, MSKSourceConfiguration yet."},
		{plain(`"Tags":[{"Key":"k"}],`), received + "Tags yet."},
		{plain(`"DeliveryStreamEncryptionConfigurationInput":{"KeyType":"AWS_OWNED_CMK"},`), received + "DeliveryStreamEncryptionConfigurationInput yet."},
		{plain(`"Anything":0,`), received + "Anything yet."},
		{`{"DeliveryStreamName":"x","S3DestinationConfiguration":{` + arns + `,"FileExtension":".x"}}`, received + "S3DestinationConfiguration.FileExtension yet."},
		{creation("x", `,"ProcessingConfiguration":{"Enabled":true}`), received + here + "ProcessingConfiguration yet."},
		{creation("x", `,"DataFormatConversionConfiguration":{}`), received + here + "DataFormatConversionConfiguration yet."},
		{creation("x", `,"DynamicPartitioningConfiguration":{"Enabled":true}`), received + here + "DynamicPartitioningConfiguration yet."},
		{creation("x", `,"S3BackupMode":"Enabled","S3BackupConfiguration":{}`), received + here + "S3BackupMode Enabled, " + here + "S3BackupConfiguration yet."},
		{creation("x", `,"EncryptionConfiguration":{"KMSEncryptionConfig":{}}`), received + here + "EncryptionConfiguration.KMSEncryptionConfig yet."},
		{creation("x", `,"CloudWatchLoggingOptions":{"Enabled":true}`), received + here + "CloudWatchLoggingOptions yet."},
		{creation("x", `,"CompressionFormat":"Snappy"`), received + here + "CompressionFormat Snappy yet."},
		{creation("x", `,"Prefix":"y=!{timestamp:yyyy}/"`), received + here + "Prefix with an expression !{…} yet."},
		{creation("x", `,"Prefix":"../up/"`), received + here + `Prefix with a folder named "", "." or ".." yet.`},
		{creation("x", `,"Prefix":"/root"`), received + here + "Prefix with a folder"},
		{creation("x", `,"ErrorOutputPrefix":"a/./"`), received + here + "ErrorOutputPrefix with a folder"},
		{creation("x", `,"BucketARN":"arn:aws:s3:::.."`), received + here + "BucketARN arn:aws:s3:::.."},
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

func FuzzDecodeCreate(f *testing.F) {
	f.Add([]byte(creation("s", `,"Prefix":"a/","BufferingHints":{"SizeInMBs":1,"IntervalInSeconds":0},"CompressionFormat":"GZIP"`)))
	f.Add([]byte(`{"DeliveryStreamName":"s","S3DestinationConfiguration":{},"Tags":[],"":0}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		in, err := decodeCreate(body)
		if err != nil {
			return
		}
		d := *in.Destination.S3
		if in.DeliveryStreamName == "" || d.Bucket() == "" || d.SizeInMBs < 1 || d.SizeInMBs > 128 || d.IntervalInSeconds < 0 || d.IntervalInSeconds > 900 ||
			d.CompressionFormat != "GZIP" && d.CompressionFormat != "UNCOMPRESSED" || strings.Contains("/"+d.Prefix, "/../") {
			t.Errorf("%q is accepted as %+v", body, in)
		}
	})
}
