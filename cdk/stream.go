package main

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskinesisfirehose"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/jsii-runtime-go"
)

// addKey adds a key, which outlives the stack by CloudFormation's waiting period of 30
// days, in which it can be brought back.
func (s *stack) addKey() (arn string) {
	return *awskms.NewKey(s.root, jsii.String("Key"), &awskms.KeyProps{
		Description:       jsii.String("Buffers of the delivery stream and objects of the bucket of a Hydrant stack"),
		EnableKeyRotation: jsii.Bool(true),
		RemovalPolicy:     awscdk.RemovalPolicy_DESTROY,
	}).KeyArn()
}

// addBucket adds the bucket. CloudFormation deletes it only when it is empty.
func (s *stack) addBucket() {
	s.bucket = awss3.NewBucket(s.root, jsii.String("Bucket"), &awss3.BucketProps{
		BlockPublicAccess: awss3.BlockPublicAccess_BLOCK_ALL(),
		EnforceSSL:        jsii.Bool(true),
		ObjectOwnership:   awss3.ObjectOwnership_BUCKET_OWNER_ENFORCED,
		RemovalPolicy:     awscdk.RemovalPolicy_DESTROY,
	})
	cfn := s.bucket.Node().DefaultChild().(awss3.CfnBucket)
	cfn.AddPropertyOverride(jsii.String("BucketEncryption.ServerSideEncryptionConfiguration"), []any{s.ifSet("KmsKeyArn",
		// A bucket key spares a call of KMS for each object.
		properties{"BucketKeyEnabled": true, "ServerSideEncryptionByDefault": properties{"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": s.ref("KmsKeyArn")}},
		properties{"ServerSideEncryptionByDefault": properties{"SSEAlgorithm": "AES256"}},
	)})
	// Firehose writes in parts where the buffer interval is under a minute (developer
	// guide, buffering hints), and what it leaves of them is billed but not seen.
	cfn.AddPropertyOverride(jsii.String("LifecycleConfiguration.Rules"), []any{properties{
		"Id": "CleanUp", "Status": "Enabled",
		"AbortIncompleteMultipartUpload": properties{"DaysAfterInitiation": 7},
		"ExpirationInDays":               s.orNone("ObjectExpirationDays"),
	}})
}

// addLogs adds where delivery errors are written, which have no record's data.
// Firehose makes neither group nor stream where CloudFormation is used.
func (s *stack) addLogs() {
	s.logGroup = awslogs.NewCfnLogGroup(s.root, jsii.String("LogGroup"), &awslogs.CfnLogGroupProps{
		LogGroupName:    jsii.String("/aws/kinesisfirehose/" + *awscdk.Aws_STACK_NAME()),
		RetentionInDays: s.number("LogRetentionDays"),
	})
	s.logGroup.ApplyRemovalPolicy(awscdk.RemovalPolicy_DESTROY, nil)
	s.logStream = awslogs.NewCfnLogStream(s.root, jsii.String("LogStream"), &awslogs.CfnLogStreamProps{
		LogGroupName:  s.logGroup.Ref(),
		LogStreamName: jsii.String("DestinationDelivery"), // as the console calls it
	})
}

// addStreamRole adds the role that Firehose delivers by: what the developer guide lists
// for S3, and no more. It takes the role on behalf of this account alone.
func (s *stack) addStreamRole() (arn *string) {
	objects := s.bucket.ArnForObjects(jsii.String("*"))
	useKey := allow(s.ref("KmsKeyArn"), "kms:Decrypt", "kms:GenerateDataKey")
	useKey["Condition"] = properties{
		"StringEquals": properties{"kms:ViaService": awscdk.Fn_Sub(jsii.String("s3.${AWS::Region}.${AWS::URLSuffix}"), nil)},
		// With a bucket key it is the bucket's ARN (S3 user guide, bucket keys).
		"StringLike": properties{"kms:EncryptionContext:aws:s3:arn": []any{s.bucket.BucketArn(), objects}},
	}
	return s.addRole("StreamRole", "firehose.amazonaws.com", "Firehose delivers into the bucket of a Hydrant stack",
		properties{"StringEquals": properties{"sts:ExternalId": awscdk.Aws_ACCOUNT_ID()}},
		policy(
			allow(s.bucket.BucketArn(), "s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"),
			allow(objects, "s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"),
			allow(awscdk.Fn_Sub(jsii.String("arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:log-group:${LogGroup}:log-stream:${LogStream}"), nil),
				"logs:PutLogEvents"),
			s.ifSet("KmsKeyArn", useKey, awscdk.Aws_NO_VALUE()),
		))
}

// addStream adds the delivery stream.
func (s *stack) addStream() {
	destination := &awskinesisfirehose.CfnDeliveryStream_ExtendedS3DestinationConfigurationProperty{
		BucketArn: s.bucket.BucketArn(),
		RoleArn:   s.addStreamRole(),
		BufferingHints: &awskinesisfirehose.CfnDeliveryStream_BufferingHintsProperty{
			IntervalInSeconds: s.number("BufferIntervalSeconds"),
			SizeInMBs:         s.number("BufferSizeMiB"),
		},
		CompressionFormat: jsii.String("GZIP"), // objects are named .gz with no FileExtension
		CloudWatchLoggingOptions: &awskinesisfirehose.CfnDeliveryStream_CloudWatchLoggingOptionsProperty{
			Enabled: jsii.Bool(true), LogGroupName: s.logGroup.Ref(), LogStreamName: s.logStream.Ref(),
		},
		Prefix:            awscdk.Token_AsString(s.orNone("Prefix"), nil),
		ErrorOutputPrefix: awscdk.Token_AsString(s.orNone("ErrorPrefix"), nil),
	}
	if len(s.partitions) > 0 {
		s.partition(destination)
	}
	s.stream = awskinesisfirehose.NewCfnDeliveryStream(s.root, jsii.String("DeliveryStream"), &awskinesisfirehose.CfnDeliveryStreamProps{
		DeliveryStreamName:                 awscdk.Token_AsString(s.orNone("StreamName"), nil),
		DeliveryStreamType:                 jsii.String("DirectPut"),
		ExtendedS3DestinationConfiguration: destination,
	})
	s.stream.AddPropertyOverride(jsii.String("DeliveryStreamEncryptionConfigurationInput"), s.ifSet("KmsKeyArn",
		properties{"KeyType": "CUSTOMER_MANAGED_CMK", "KeyARN": s.ref("KmsKeyArn")}, awscdk.Aws_NO_VALUE(),
	))
	s.stream.AddPropertyOverride(jsii.String("ExtendedS3DestinationConfiguration.EncryptionConfiguration"), s.ifSet("KmsKeyArn",
		properties{"KMSEncryptionConfig": properties{"AWSKMSKeyARN": s.ref("KmsKeyArn")}},
		properties{"NoEncryptionConfig": "NoEncryption"}, // the bucket's own is then used
	))
}

// streamArn is the stream's ARN, made of its name: moto's CloudFormation, which knows
// nothing of Firehose, takes no Fn::GetAtt of a resource that it skips.
func (s *stack) streamArn() *string {
	return awscdk.Fn_Sub(jsii.String("arn:${AWS::Partition}:firehose:${AWS::Region}:${AWS::AccountId}:deliverystream/${DeliveryStream}"), nil)
}

// partition has records go to prefixes by what a jq query finds in them. Records that
// were packed into one are taken apart first, or the query would see only packs, and
// line ends, which that strips, are put back last (developer guide, dynamic
// partitioning).
func (s *stack) partition(d *awskinesisfirehose.CfnDeliveryStream_ExtendedS3DestinationConfigurationProperty) {
	d.DynamicPartitioningConfiguration = &awskinesisfirehose.CfnDeliveryStream_DynamicPartitioningConfigurationProperty{Enabled: jsii.Bool(true)}
	d.ProcessingConfiguration = &awskinesisfirehose.CfnDeliveryStream_ProcessingConfigurationProperty{
		Enabled: jsii.Bool(true),
		Processors: []any{
			processor("RecordDeAggregation", "SubRecordType", "JSON"),
			processor("MetadataExtraction", "MetadataExtractionQuery", partitionQuery(s.partitions), "JsonParsingEngine", "JQ-1.6"),
			processor("AppendDelimiterToRecord"),
		},
	}
}

func processor(kind string, namesAndValues ...string) any {
	var parameters []any
	for i := 0; i < len(namesAndValues); i += 2 {
		parameters = append(parameters, &awskinesisfirehose.CfnDeliveryStream_ProcessorParameterProperty{
			ParameterName: &namesAndValues[i], ParameterValue: &namesAndValues[i+1],
		})
	}
	p := &awskinesisfirehose.CfnDeliveryStream_ProcessorProperty{Type: &kind}
	if parameters != nil {
		p.Parameters = parameters
	}
	return p
}
