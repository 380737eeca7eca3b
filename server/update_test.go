package server

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

// updating is the body of an update to the first version of stream s.
func updating(destination string) string {
	return `{"DeliveryStreamName":"s","CurrentDeliveryStreamVersionId":"1","DestinationId":"destinationId-000000000001",` + destination + `}`
}

func extendedUpdate(members string) string {
	return updating(`"ExtendedS3DestinationUpdate":{` + members + `}`)
}

func httpUpdate(members string) string {
	return updating(`"HttpEndpointDestinationUpdate":{` + members + `}`)
}

func s3(f func(*S3Destination)) Destination { return Destination{S3: with(basicS3(), f)} }

// apply is what an update makes of a destination, which it checks to be unchanged
// itself, and that the same update changes nothing any more.
func apply(t *testing.T, body string, was Destination) (Destination, error) {
	t.Helper()
	before, err := json.Marshal(was)
	if err != nil {
		t.Fatal(err)
	}
	in, err := (&server{}).decodeUpdate([]byte(body))
	if err != nil {
		return Destination{}, err
	}
	d, err := in.Apply(was)
	if after, _ := json.Marshal(was); string(after) != string(before) {
		t.Errorf("%s changes its argument\n%s\nto\n%s", body, before, after)
	}
	if err != nil {
		return Destination{}, err
	}
	checkKept(t, d)
	if again, err := in.Apply(d); err != nil || gocmp.Diff(d, again) != "" {
		t.Errorf("%s, applied twice: %v (-once +twice)\n%s", body, err, gocmp.Diff(d, again))
	}
	return d, nil
}

func TestMerge(t *testing.T) {
	full, fullHTTP := Destination{S3: fullS3Destination()}, Destination{HTTP: fullHTTPDestination()}
	fullWith := func(f func(*S3Destination)) Destination { return Destination{S3: with(fullS3Destination(), f)} }
	httpWith := func(f func(*HTTPDestination)) Destination {
		return Destination{HTTP: with(fullHTTPDestination(), f)}
	}
	basic, basicH := Destination{S3: basicS3()}, Destination{HTTP: basicHTTP()}
	for _, tt := range []struct {
		what string
		was  Destination
		body string
		want Destination
	}{
		{what: "nothing", was: full, body: extendedUpdate(``), want: full},
		{what: "nothing, in the other form", was: full, body: updating(`"S3DestinationUpdate":{}`), want: full},
		{what: "nothing, of an endpoint", was: fullHTTP, body: httpUpdate(``), want: fullHTTP},
		{what: "what is there", was: full, body: updating(`"ExtendedS3DestinationUpdate":` + strings.ReplaceAll(fullExtended, "S3BackupConfiguration", "S3BackupUpdate")), want: full},
		{what: "what an endpoint has", was: fullHTTP, body: updating(`"HttpEndpointDestinationUpdate":` + strings.ReplaceAll(fullHTTPJSON, "S3Configuration", "S3Update")), want: fullHTTP},

		{what: "strings", was: basic, body: extendedUpdate(`"RoleARN":"arn:aws:iam::000000000000:role/new","BucketARN":"arn:aws:s3:::new","Prefix":"p/","ErrorOutputPrefix":"e/","CompressionFormat":"GZIP","FileExtension":".x","CustomTimeZone":"Asia/Seoul"`), want: s3(func(d *S3Destination) {
			d.RoleARN, d.BucketARN, d.Prefix, d.ErrorOutputPrefix, d.CompressionFormat = "arn:aws:iam::000000000000:role/new", "arn:aws:s3:::new", "p/", "e/", "GZIP"
			d.FileExtension, d.CustomTimeZone = ".x", "Asia/Seoul"
		})},
		{what: "empty is not absent", was: full, body: extendedUpdate(`"FileExtension":"","CustomTimeZone":""`), want: fullWith(func(d *S3Destination) { d.FileExtension, d.CustomTimeZone = "", "" })},
		{what: "the plain form keeps what it lacks", was: full, body: updating(`"S3DestinationUpdate":{"BufferingHints":{"SizeInMBs":128,"IntervalInSeconds":900}}`), want: fullWith(func(d *S3Destination) { d.SizeInMBs, d.IntervalInSeconds = 128, 900 })},
		{what: "no encryption", was: full, body: extendedUpdate(`"EncryptionConfiguration":{"NoEncryptionConfig":"NoEncryption"}`), want: fullWith(func(d *S3Destination) { d.KMSKeyARN = "" })},
		{what: "a member of the logging", was: full, body: extendedUpdate(`"CloudWatchLoggingOptions":{"Enabled":false}`), want: fullWith(func(d *S3Destination) { d.Logging.Enabled = false })},
		{what: "empty hints", was: full, body: extendedUpdate(`"BufferingHints":{}`), want: full},

		{
			what: "processing is replaced, and stays on", was: Destination{S3: with(basicS3(), func(d *S3Destination) {
				d.Processing = &Processing{true, []Processor{{"AppendDelimiterToRecord", nil}}}
			})},
			body: extendedUpdate(`"ProcessingConfiguration":{"Processors":[{"Type":"RecordDeAggregation","Parameters":[` + parameter("SubRecordType", "JSON") + `]}]}`),
			want: s3(func(d *S3Destination) {
				d.Processing = &Processing{true, []Processor{{"RecordDeAggregation", []Parameter{{"SubRecordType", "JSON"}}}}}
			}),
		},
		{
			what: "processing that is switched off has no processors", was: Destination{S3: with(basicS3(), func(d *S3Destination) {
				d.Processing = &Processing{true, []Processor{{"AppendDelimiterToRecord", nil}}}
			})},
			body: extendedUpdate(`"ProcessingConfiguration":{"Enabled":false}`), want: s3(func(d *S3Destination) { d.Processing = &Processing{} }),
		},
		{what: "processing is off where nobody said so", was: basic, body: extendedUpdate(`"ProcessingConfiguration":{"Processors":[` + lambda + `]},"RoleARN":"arn:aws:iam::000000000000:role/new"`), want: s3(func(d *S3Destination) {
			d.RoleARN = "arn:aws:iam::000000000000:role/new"
			d.Processing = &Processing{false, []Processor{{"Lambda", []Parameter{
				{"LambdaArn", "arn:aws:lambda:us-east-1:000000000000:function:f"}, {"NumberOfRetries", "3"}, {"RoleArn", d.RoleARN}, {"BufferSizeInMBs", "0.2"}, {"BufferIntervalInSeconds", "70"},
			}}}}
		})},
		{what: "a processor's role stays when the destination's changes", was: full, body: extendedUpdate(`"RoleARN":"arn:aws:iam::000000000000:role/new"`), want: fullWith(func(d *S3Destination) { d.RoleARN = "arn:aws:iam::000000000000:role/new" })},

		{what: "a member of the schema", was: full, body: extendedUpdate(`"DataFormatConversionConfiguration":{"SchemaConfiguration":{"TableName":"other"}}`), want: fullWith(func(d *S3Destination) {
			d.Conversion = with(d.Conversion, func(c *Conversion) {
				c.SchemaConfiguration = with(c.SchemaConfiguration, func(s *SchemaConfiguration) { s.TableName = "other" })
			})
		})},
		{what: "conversion off keeps the rest", was: full, body: extendedUpdate(`"DataFormatConversionConfiguration":{"Enabled":false},"CompressionFormat":"GZIP"`), want: fullWith(func(d *S3Destination) {
			d.CompressionFormat, d.Conversion = "GZIP", with(d.Conversion, func(c *Conversion) { c.Enabled = false })
		})},
		{
			what: "conversion that is off stays off", was: fullWith(func(d *S3Destination) { d.Conversion = &Conversion{} }), body: extendedUpdate(`"DataFormatConversionConfiguration":{"SchemaConfiguration":{"TableName":"t"}}`),
			want: fullWith(func(d *S3Destination) {
				d.Conversion = &Conversion{SchemaConfiguration: &SchemaConfiguration{TableName: "t"}}
			}),
		},
		{what: "another serializer replaces the one before", was: full, body: extendedUpdate(`"DataFormatConversionConfiguration":{"OutputFormatConfiguration":{"Serializer":{"OrcSerDe":{}}},"InputFormatConfiguration":{"Deserializer":{"HiveJsonSerDe":{}}}}`), want: fullWith(func(d *S3Destination) {
			d.Conversion = with(d.Conversion, func(c *Conversion) {
				c.InputFormatConfiguration = &InputFormatConfiguration{&Deserializer{HiveJsonSerDe: &HiveJsonSerDe{}}}
				c.OutputFormatConfiguration = &OutputFormatConfiguration{&Serializer{OrcSerDe: &OrcSerDe{}}}
			})
		})},

		{what: "partitioning's retries", was: full, body: extendedUpdate(`"DynamicPartitioningConfiguration":{"RetryOptions":{"DurationInSeconds":7200}}`), want: fullWith(func(d *S3Destination) { d.Partitioning = &Partitioning{true, 7200} })},
		{what: "partitioning, said to be off where it is", was: basic, body: extendedUpdate(`"DynamicPartitioningConfiguration":{"Enabled":false}`), want: s3(func(d *S3Destination) { d.Partitioning = &Partitioning{false, 300} })},

		{what: "a backup", was: basic, body: extendedUpdate(`"S3BackupMode":"Enabled","S3BackupUpdate":{` + arns + `}`), want: s3(func(d *S3Destination) { d.BackupMode, d.Backup = "Enabled", basicS3() })},
		{what: "a member of the backup", was: full, body: extendedUpdate(`"S3BackupUpdate":{"Prefix":"c/"}`), want: fullWith(func(d *S3Destination) { d.Backup = with(d.Backup, func(b *S3Destination) { b.Prefix = "c/" }) })},

		{what: "an endpoint's URL; its key stays", was: fullHTTP, body: httpUpdate(`"EndpointConfiguration":{"Url":"https://new"}`), want: httpWith(func(d *HTTPDestination) { d.URL = "https://new" })},
		{what: "an endpoint's attributes, all at once", was: fullHTTP, body: httpUpdate(`"RequestConfiguration":{"CommonAttributes":[{"AttributeName":"c","AttributeValue":""}]}`), want: httpWith(func(d *HTTPDestination) { d.CommonAttributes = []Attribute{{"c", ""}} })},
		{what: "no attributes any more", was: fullHTTP, body: httpUpdate(`"RequestConfiguration":{"ContentEncoding":"NONE","CommonAttributes":[]}`), want: httpWith(func(d *HTTPDestination) { d.ContentEncoding, d.CommonAttributes = "NONE", nil })},
		{what: "a member of an endpoint's bucket", was: fullHTTP, body: httpUpdate(`"S3Update":{"Prefix":"c/"},"RetryOptions":{"DurationInSeconds":0}`), want: httpWith(func(d *HTTPDestination) { d.S3.Prefix, d.RetrySeconds = "c/", 0 })},
		{what: "a member of an endpoint's secret", was: fullHTTP, body: httpUpdate(`"SecretsManagerConfiguration":{"Enabled":false}`), want: httpWith(func(d *HTTPDestination) { d.Secrets = with(d.Secrets, func(s *SecretsManager) { s.Enabled = false }) })},

		{what: "from a bucket to an endpoint", was: Destination{S3: with(basicS3(), func(d *S3Destination) { d.Prefix = "gone/" })}, body: httpUpdate(`"EndpointConfiguration":{"Url":"https://example.com/in"},"S3Update":{` + arns + `}`), want: basicH},
		{what: "from an endpoint to a bucket", was: fullHTTP, body: updating(`"S3DestinationUpdate":{` + arns + `}`), want: basic},
	} {
		got, err := apply(t, tt.body, tt.was)
		if diff := gocmp.Diff(tt.want, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got)\n%s", tt.what, err, diff)
		}
	}
}

// What an update refuses by itself, and what of the destination that is there.
func TestUpdateRefusals(t *testing.T) {
	full, fullHTTP, basic, basicH := Destination{S3: fullS3Destination()}, Destination{HTTP: fullHTTPDestination()}, Destination{S3: basicS3()}, Destination{HTTP: basicHTTP()}
	const (
		extended = "'extendedS3DestinationUpdate."
		partOn   = `"DynamicPartitioningConfiguration":{"Enabled":true}`
	)
	for _, tt := range []struct {
		was        Destination
		body, want string
	}{
		{basic, `{}`, "ValidationException: 3 validation errors detected: Value null at 'deliveryStreamName'" + must + "not be null; Value null at 'currentDeliveryStreamVersionId'" + must + "not be null; Value null at 'destinationId'" + must + "not be null"},
		{basic, strings.Replace(extendedUpdate(``), `"1"`, `"v1"`, 1), at + "'v1' at 'currentDeliveryStreamVersionId'" + must + "satisfy regular expression pattern: [0-9]+"},
		{basic, strings.Replace(extendedUpdate(``), `-0`, `_0`, 1), at + "'destinationId_000000000001' at 'destinationId'" + must + "satisfy regular expression pattern: [a-zA-Z0-9-]+"},
		{basic, extendedUpdate(`"CompressionFormat":"x"`), at + "'x' at " + extended + "compressionFormat'" + must},
		{basic, extendedUpdate(`"S3BackupUpdate":{"RoleARN":"r"}`), at + "'r' at " + extended + "s3BackupUpdate.roleARN'" + must},
		{basic, httpUpdate(`"EndpointConfiguration":{"Name":"n"}`), at + "null at 'httpEndpointDestinationUpdate.endpointConfiguration.url'" + must + "not be null"},
		{basic, extendedUpdate(`"BufferingHints":{"SizeInMBs":5}`), argument + "ExtendedS3DestinationUpdate.BufferingHints must have both SizeInMBs and IntervalInSeconds, or be left out"},
		{basic, updating(`"ExtendedS3DestinationUpdate":null`), argument + "At least one destination or source configuration update must be provided"},
		{basic, updating(`"ExtendedS3DestinationUpdate":{},"S3DestinationUpdate":{}`), argument + "Exactly one destination update is supported for a Firehose"},
		{basic, updating(`"SplunkDestinationUpdate":{}`), unsupported + "SplunkDestinationUpdate."},
		{basic, extendedUpdate(`"S3BackupConfiguration":{}`), unsupported + "ExtendedS3DestinationUpdate.S3BackupConfiguration."},
		{basic, updating(`"S3DestinationUpdate":{"FileExtension":".x"}`), unsupported + "S3DestinationUpdate.FileExtension."},
		{basic, updating(`"ExtendedS3DestinationConfiguration":{},"S3DestinationUpdate":{}`), unsupported + "ExtendedS3DestinationConfiguration."},

		{full, extendedUpdate(`"CompressionFormat":"GZIP"`), argument + "The S3 destination's compression format must be set to UNCOMPRESSED"},
		{full, extendedUpdate(`"BufferingHints":{"SizeInMBs":63,"IntervalInSeconds":60}`), argument + "BufferingHints.SizeInMBs must be at least 64 when data format conversion is enabled."},
		// AWS was seen to refuse that for the 5 MiB that a plain stream has.
		{basic, extendedUpdate(`"DataFormatConversionConfiguration":` + conversion), argument + "BufferingHints.SizeInMBs must be at least 64 when data format conversion is enabled."},
		{full, extendedUpdate(`"BufferingHints":{"SizeInMBs":64,"IntervalInSeconds":59}`), argument + "BufferingHints.IntervalInSeconds must be at least 60 seconds when Dynamic Partitioning is enabled."},
		{full, extendedUpdate(`"DynamicPartitioningConfiguration":{"Enabled":false}`), argument + "Dynamic partitioning cannot be disabled once it is enabled."},
		{full, httpUpdate(`"EndpointConfiguration":{"Url":"https://h"},"S3Update":{` + arns + `}`), argument + "Dynamic partitioning cannot be disabled once it is enabled."},
		{basic, extendedUpdate(partOn), argument + "Dynamic partitioning can only be enabled when a Firehose is created."},
		{basicH, extendedUpdate(arns + `,` + partOn), argument + "Dynamic partitioning can only be enabled when a Firehose is created."},
		{full, extendedUpdate(`"S3BackupMode":"Disabled"`), argument + "Disabling S3 backup is not currently supported."},
		{fullHTTP, httpUpdate(`"S3BackupMode":"FailedDataOnly"`), argument + "Disabling S3 backup is not currently supported."},
		{basic, extendedUpdate(`"S3BackupMode":"Enabled"`), argument + "S3 backup destination configuration is required when enabling S3 backup."},
		{basic, extendedUpdate(`"S3BackupMode":"Enabled","S3BackupUpdate":{"RoleARN":"` + role + `"}`), argument + "RoleARN and BucketARN must be specified for an S3 bucket that was not there before"},
		{full, extendedUpdate(`"S3BackupUpdate":{"BufferingHints":{"SizeInMBs":5,"IntervalInSeconds":0}}`), argument + "The buffering interval of an S3 backup must be between 60 and 900 seconds."},
		{basic, extendedUpdate(`"CloudWatchLoggingOptions":{"Enabled":true,"LogGroupName":"g"}`), argument + "CloudWatch Log Stream Name is required"},
		{full, extendedUpdate(`"ProcessingConfiguration":{"Processors":[]}`), argument + "A maximum of 5 and a minimum of 1 processor needs to be supplied when processing is enabled."},
		{full, extendedUpdate(`"ProcessingConfiguration":{"Enabled":false}`), argument + "Processing Configuration is not enabled when DataPartitioning is enabled"},
		{fullHTTP, extendedUpdate(`"Prefix":"p/"`), argument + "RoleARN and BucketARN must be specified for an S3 bucket that was not there before"},
		{basic, httpUpdate(`"S3Update":{` + arns + `}`), argument + "EndpointConfiguration must be specified for an HTTP endpoint that was not there before"},
		{basic, httpUpdate(`"EndpointConfiguration":{"Url":"https://h"}`), argument + "RoleARN and BucketARN must be specified"},
		{basicH, httpUpdate(`"SecretsManagerConfiguration":{"Enabled":true}`), argument + "Invalid secret ARN: null"},
	} {
		_, err := apply(t, tt.body, tt.was)
		if got := fmt.Sprint(err); !strings.HasPrefix(got, tt.want) {
			t.Errorf("%s:\n%s\nwant\n%s", tt.body, got, tt.want)
		}
	}
}

// fragments are members of updates, of which TestRandomUpdates makes its own.
var fragments = map[string][]string{
	"ExtendedS3DestinationUpdate": {
		arns, `"Prefix":"p/"`, `"ErrorOutputPrefix":""`, `"CompressionFormat":"GZIP"`, `"CompressionFormat":"UNCOMPRESSED"`, `"BufferingHints":{"SizeInMBs":64,"IntervalInSeconds":0}`,
		`"BufferingHints":{"SizeInMBs":1,"IntervalInSeconds":60}`, `"EncryptionConfiguration":{"NoEncryptionConfig":"NoEncryption"}`, `"CloudWatchLoggingOptions":{"Enabled":true}`, `"CloudWatchLoggingOptions":{"LogGroupName":"g","LogStreamName":"s"}`,
		`"ProcessingConfiguration":{}`, `"ProcessingConfiguration":{"Enabled":false}`, `"ProcessingConfiguration":{"Processors":[` + lambda + `]}`, `"ProcessingConfiguration":{"Enabled":true,"Processors":[{"Type":"AppendDelimiterToRecord"}]}`,
		`"S3BackupMode":"Enabled"`, `"S3BackupMode":"Disabled"`, `"S3BackupUpdate":{` + arns + `}`, `"S3BackupUpdate":{"Prefix":"b/"}`, `"S3BackupUpdate":{"CloudWatchLoggingOptions":{"LogGroupName":"g"}}`,
		`"DataFormatConversionConfiguration":` + conversion, `"DataFormatConversionConfiguration":{"Enabled":false}`, `"DataFormatConversionConfiguration":{"Enabled":true,"SchemaConfiguration":{"TableName":"u"}}`,
		`"DataFormatConversionConfiguration":{"OutputFormatConfiguration":{"Serializer":{"OrcSerDe":{"BloomFilterColumns":[]}}}}`, `"DynamicPartitioningConfiguration":{"RetryOptions":{"DurationInSeconds":9}}`, `"FileExtension":""`, `"CustomTimeZone":"UTC"`,
	},
	"S3DestinationUpdate": {arns, `"Prefix":"q/"`, `"CompressionFormat":"ZIP"`},
	"HttpEndpointDestinationUpdate": {
		`"EndpointConfiguration":{"Url":"https://new"}`, `"EndpointConfiguration":{"Url":"https://h","Name":"m","AccessKey":""}`, `"RequestConfiguration":{}`, `"RequestConfiguration":{"ContentEncoding":"NONE","CommonAttributes":[]}`,
		`"RequestConfiguration":{"CommonAttributes":[{"AttributeName":"a","AttributeValue":"1"}]}`, `"RoleARN":"` + role + `"`, `"RetryOptions":{"DurationInSeconds":0}`, `"S3BackupMode":"AllData"`, `"S3Update":{` + arns + `}`, `"S3Update":{"Prefix":"b/"}`,
		`"SecretsManagerConfiguration":{"Enabled":false}`, `"ProcessingConfiguration":{"Processors":[` + lambda + `]}`, `"CloudWatchLoggingOptions":{"Enabled":true,"LogGroupName":"g","LogStreamName":"s"}`, `"BufferingHints":{"SizeInMBs":64,"IntervalInSeconds":900}`,
	},
}

// A destination that goes through random updates keeps its promises, whatever was
// refused on the way.
func TestRandomUpdates(t *testing.T) {
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	kinds := slices.Sorted(maps.Keys(fragments))
	applied := 0
	for _, d := range []Destination{{S3: basicS3()}, {S3: fullS3Destination()}, {HTTP: basicHTTP()}, {HTTP: fullHTTPDestination()}} {
		partitioned := d.partitioned()
		for range 250 {
			kind := kinds[random.IntN(len(kinds))]
			var members []string
			for _, i := range random.Perm(len(fragments[kind]))[:1+random.IntN(3)] {
				members = append(members, fragments[kind][i])
			}
			body := updating(`"` + kind + `":{` + strings.Join(members, ",") + `}`)
			next, err := apply(t, body, d)
			if err != nil {
				continue
			}
			applied++
			checkDestination(t, next)
			if was := d.S3; was != nil && next.S3 != nil && was.BackupMode == "Enabled" && next.S3.BackupMode != "Enabled" || next.partitioned() != partitioned {
				t.Errorf("%s gives up a backup or partitioning", body)
			}
			if d = next; t.Failed() {
				t.Fatalf("after %s, seed %d", body, seed)
			}
		}
	}
	if applied < 50 {
		t.Errorf("only %d updates were not refused, seed %d", applied, seed)
	}
}

// The backend is asked only when the input is right by itself; then it has the
// first word.
func TestUpdateDestination(t *testing.T) {
	h, m := open(t)
	for _, tt := range []struct{ body, want string }{
		{strings.Replace(extendedUpdate(`"CompressionFormat":"x"`), `"s"`, `"nope"`, 1), at + "'x'"},
		{strings.Replace(extendedUpdate(`"S3BackupMode":"Enabled"`), `"s"`, `"nope"`, 1), "ResourceNotFoundException: Firehose nope under account 000000000000 not found."},
		{strings.Replace(extendedUpdate(`"S3BackupMode":"Enabled"`), `"1"`, `"7"`, 1), "ConcurrentModificationException: Cannot update firehose: s since the current version id: 1 and specified version id: 7 do not match"},
		{extendedUpdate(`"S3BackupMode":"Enabled"`), argument + "S3 backup destination configuration is required"},
	} {
		if status, answer := post(h, "UpdateDestination", tt.body); status != 400 || !strings.HasPrefix(failure(t, answer), tt.want) {
			t.Errorf("%s:\n%d %s\nwant\n400 %s", tt.body, status, answer, tt.want)
		}
	}
	version := func() string {
		_, answer := post(h, "DescribeDeliveryStream", `{"DeliveryStreamName":"s"}`)
		var out struct {
			DeliveryStreamDescription struct {
				VersionId           string
				LastUpdateTimestamp float64
			}
		}
		if err := json.Unmarshal([]byte(answer), &out); err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(out.DeliveryStreamDescription)
	}
	for body, want := range map[string]string{extendedUpdate(`"CompressionFormat":"UNCOMPRESSED"`): "{1 0}", extendedUpdate(`"Prefix":""`): "{1 0}"} {
		if status, answer := post(h, "UpdateDestination", body); status != 200 || answer != "{}" || version() != want {
			t.Errorf("%s: %d %s, version %s, want %s", body, status, answer, version(), want)
		}
	}
	if status, answer := post(h, "UpdateDestination", extendedUpdate(`"Prefix":"p/"`)); status != 200 || answer != "{}" || version() != "{10 1.70000006025e+09}" {
		t.Errorf("%d %s, version %s", status, answer, version())
	}
	if got := m.streams[streamID{Caller{Account: "000000000000", Region: "us-east-1"}, "s"}].Destination.S3.Prefix; got != "p/" {
		t.Errorf("the prefix is %q", got)
	}
}

func FuzzDecodeUpdate(f *testing.F) {
	for _, seed := range []string{
		extendedUpdate(`"Prefix":"p/"`), httpUpdate(`"EndpointConfiguration":{"Url":"https://new"},"S3Update":{` + arns + `}`), updating(`"S3DestinationUpdate":{` + arns + `}`),
		updating(`"ExtendedS3DestinationUpdate":` + strings.ReplaceAll(fullExtended, "S3BackupConfiguration", "S3BackupUpdate")),
		updating(`"HttpEndpointDestinationUpdate":` + strings.ReplaceAll(fullHTTPJSON, "S3Configuration", "S3Update")),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, was := range []Destination{{S3: basicS3()}, {S3: fullS3Destination()}, {HTTP: basicHTTP()}, {HTTP: fullHTTPDestination()}} {
			if d, err := apply(t, string(body), was); err == nil {
				checkDestination(t, d)
			}
		}
	})
}
