package server

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/firehose/types"
	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// parse reads what the tests have as JSON into a type of the SDK, whose fields have
// the members' names.
func parse[T any](t *testing.T, text string) *T {
	t.Helper()
	v := new(T)
	if err := json.Unmarshal([]byte(text), v); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}

// seen notes which members of the SDK's types are set in v.
func seen(v reflect.Value, set map[string]bool) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			seen(v.Elem(), set)
		}
	case reflect.Slice:
		for i := range v.Len() {
			seen(v.Index(i), set)
		}
	case reflect.Struct:
		for field, value := range v.Fields() {
			if field.IsExported() {
				name := v.Type().Name() + "." + field.Name
				set[name] = set[name] || !value.IsZero()
				seen(value, set)
			}
		}
	}
}

// TestSDK sets every member that the SDK has of the destinations that are supported,
// and reads it again.
func TestSDK(t *testing.T) {
	url := serveLoopback(t, quiet(Config{Backend: newMemory(), Credentials: map[string]string{testKey: testSecret}}))
	client := firehose.New(firehose.Options{
		BaseEndpoint: &url, Region: "eu-west-1", Credentials: credentials.NewStaticCredentialsProvider(testKey, testSecret, ""), RetryMaxAttempts: 1,
	})
	orc := strings.NewReplacer(
		`"KMSEncryptionConfig":{"AWSKMSKeyARN":"arn:aws:kms:us-east-1:000000000000:alias/k"}`, `"NoEncryptionConfig":"NoEncryption"`,
		conversion, `{"Enabled":true,"SchemaConfiguration":{"RoleARN":"r","DatabaseName":"d","TableName":"t"},"InputFormatConfiguration":{"Deserializer":{"HiveJsonSerDe":{"TimestampFormats":["millis"]}}},
			"OutputFormatConfiguration":{"Serializer":{"OrcSerDe":{"StripeSizeBytes":8388608,"BlockSizeBytes":67108864,"RowIndexStride":1000,"EnablePadding":true,"PaddingTolerance":0.1,"Compression":"ZLIB",
			"BloomFilterColumns":["c"],"BloomFilterFalsePositiveProbability":1,"DictionaryKeyThreshold":0.5,"FormatVersion":"V0_11"}}}}`,
		`"Prefix":"b/","BufferingHints"`, `"Prefix":"b/","ErrorOutputPrefix":"e/","EncryptionConfiguration":{"NoEncryptionConfig":"NoEncryption"},"CloudWatchLoggingOptions":{"Enabled":false},"BufferingHints"`,
	).Replace(fullExtended)
	set := map[string]bool{}
	describe := func(name string) types.DestinationDescription {
		t.Helper()
		out, err := client.DescribeDeliveryStream(t.Context(), &firehose.DescribeDeliveryStreamInput{DeliveryStreamName: &name})
		if err != nil {
			t.Fatal(err)
		}
		return out.DeliveryStreamDescription.Destinations[0]
	}
	create := func(in *firehose.CreateDeliveryStreamInput) types.DestinationDescription {
		t.Helper()
		seen(reflect.ValueOf(in), set)
		if _, err := client.CreateDeliveryStream(t.Context(), in); err != nil {
			t.Fatal(err)
		}
		return describe(*in.DeliveryStreamName)
	}
	update := func(name string, in *firehose.UpdateDestinationInput) {
		t.Helper()
		in.DeliveryStreamName, in.CurrentDeliveryStreamVersionId, in.DestinationId = &name, aws.String("1"), aws.String("destinationId-000000000001")
		seen(reflect.ValueOf(in), set)
		if _, err := client.UpdateDestination(t.Context(), in); err != nil {
			t.Errorf("update %s: %v", name, err)
		}
	}
	// same checks that a description has what was configured. Parameters of
	// processors are changed on the way.
	same := func(configured, described any) {
		t.Helper()
		c, d := reflect.ValueOf(configured).Elem(), reflect.ValueOf(described).Elem()
		for field, want := range c.Fields() {
			got := d.FieldByName(field.Name)
			if !field.IsExported() || !got.IsValid() || field.Name == "ProcessingConfiguration" || field.Name == "EndpointConfiguration" || want.IsZero() {
				continue
			}
			if field.Name == "DataFormatConversionConfiguration" {
				want.Interface().(*types.DataFormatConversionConfiguration).Enabled = aws.Bool(true)
			}
			if diff := gocmp.Diff(want.Interface(), got.Interface(), cmpopts.IgnoreUnexported(types.BufferingHints{}, types.HttpEndpointBufferingHints{}), gocmp.Exporter(func(reflect.Type) bool { return true })); diff != "" {
				t.Errorf("%s.%s (-configured +described)\n%s", c.Type().Name(), field.Name, diff)
			}
		}
	}

	for name, text := range map[string]string{"parquet": fullExtended, "orc": orc} {
		c := parse[types.ExtendedS3DestinationConfiguration](t, text)
		d := create(&firehose.CreateDeliveryStreamInput{
			DeliveryStreamName: &name, ExtendedS3DestinationConfiguration: c, DeliveryStreamType: "DirectPut",
			DirectPutSourceConfiguration: &types.DirectPutSourceConfiguration{ThroughputHintInMBs: aws.Int32(1)}, Tags: []types.Tag{{Key: aws.String("k"), Value: aws.String("v")}},
			DeliveryStreamEncryptionConfigurationInput: &types.DeliveryStreamEncryptionConfigurationInput{KeyType: "CUSTOMER_MANAGED_CMK", KeyARN: aws.String("arn:aws:kms:us-east-1:000000000000:key/k")},
		})
		same(c, d.ExtendedS3DestinationDescription)
		same(c.S3BackupConfiguration, d.ExtendedS3DestinationDescription.S3BackupDescription)
		update(name, &firehose.UpdateDestinationInput{ExtendedS3DestinationUpdate: parse[types.ExtendedS3DestinationUpdate](t, strings.Replace(text, "S3BackupConfiguration", "S3BackupUpdate", 1))})
		if diff := gocmp.Diff(d, describe(name), gocmp.Exporter(func(reflect.Type) bool { return true })); diff != "" {
			t.Errorf("updated to what it is (-before +after)\n%s", diff)
		}
	}

	plain := parse[types.S3DestinationConfiguration](t, `{`+arns+`,"Prefix":"p/","CompressionFormat":"HADOOP_SNAPPY"}`)
	//lint:ignore SA1019 what is deprecated is still taken
	same(plain, create(&firehose.CreateDeliveryStreamInput{DeliveryStreamName: aws.String("plain"), S3DestinationConfiguration: plain}).S3DestinationDescription)
	//lint:ignore SA1019 the same
	update("plain", &firehose.UpdateDestinationInput{S3DestinationUpdate: parse[types.S3DestinationUpdate](t, `{"Prefix":"q/"}`)})

	c := parse[types.HttpEndpointDestinationConfiguration](t, fullHTTPJSON)
	d := create(&firehose.CreateDeliveryStreamInput{DeliveryStreamName: aws.String("http"), HttpEndpointDestinationConfiguration: c}).HttpEndpointDestinationDescription
	same(c, d)
	same(c.EndpointConfiguration, d.EndpointConfiguration)
	same(c.S3Configuration, d.S3DestinationDescription)
	update("http", &firehose.UpdateDestinationInput{HttpEndpointDestinationUpdate: parse[types.HttpEndpointDestinationUpdate](t, strings.Replace(fullHTTPJSON, "S3Configuration", "S3Update", 1))})

	for name, ok := range set {
		in, member, _ := strings.Cut(name, ".")
		known := strings.HasPrefix(in, "CreateDeliveryStream") || strings.HasPrefix(in, "UpdateDestination") // which have the other destinations
		if !ok && !known {
			t.Errorf("this test does not set %s of %s: does the server take it?", member, in)
		}
	}
}
