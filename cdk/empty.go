package main

import (
	_ "embed"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/jsii-runtime-go"
)

//go:embed emptybucket.py
var emptyBucketCode string

// emptyTag is looked for by emptybucket.py.
const emptyTag = "hydrant:empty-on-delete"

// addEmptyBucket adds a function that empties the bucket when the stack is deleted. What
// depends on a resource is deleted before it, so the stream goes first, then the objects, and
// then the bucket; and the function keeps its rights and its log until it is gone.
func (s *stack) addEmptyBucket() {
	awscdk.Tags_Of(s.bucket).Add(jsii.String(emptyTag), jsii.String("true"), nil)
	log := awslogs.NewCfnLogGroup(s.root, jsii.String("EmptyBucketLogGroup"), &awslogs.CfnLogGroupProps{
		LogGroupName:    jsii.String("/aws/lambda/" + *awscdk.Aws_STACK_NAME() + "-EmptyBucket"),
		RetentionInDays: s.number("LogRetentionDays"),
	})
	log.ApplyRemovalPolicy(awscdk.RemovalPolicy_DESTROY, nil)
	role := s.addRole("EmptyBucketRole", "lambda.amazonaws.com", "Empties the bucket of a Hydrant stack when it is deleted", nil, policy(
		allow(s.bucket.BucketArn(), "s3:GetBucketTagging", "s3:ListBucketVersions"),
		allow(s.bucket.ArnForObjects(jsii.String("*")), "s3:DeleteObject", "s3:DeleteObjectVersion"),
		allow(log.AttrArn(), "logs:CreateLogStream", "logs:PutLogEvents"), // it ends in :*, for all log streams
	))
	function := awslambda.NewCfnFunction(s.root, jsii.String("EmptyBucketFunction"), &awslambda.CfnFunctionProps{
		Description:   jsii.String("Empties the bucket of a Hydrant stack when it is deleted"),
		Code:          &awslambda.CfnFunction_CodeProperty{ZipFile: &emptyBucketCode},
		Handler:       jsii.String("index.handler"),
		Runtime:       jsii.String("python3.13"),
		Role:          role,
		MemorySize:    jsii.Number(256),
		Timeout:       jsii.Number(900), // the most that there is
		LoggingConfig: &awslambda.CfnFunction_LoggingConfigProperty{LogGroup: log.Ref()},
	})
	empty := awscdk.NewCustomResource(s.root, jsii.String("EmptyBucket"), &awscdk.CustomResourceProps{
		ResourceType:   jsii.String("Custom::EmptyBucket"),
		ServiceToken:   function.AttrArn(),
		ServiceTimeout: awscdk.Duration_Seconds(jsii.Number(960)), // else an hour, should it not answer
		Properties:     &properties{"BucketName": s.bucket.BucketName()},
	})
	s.stream.AddDependency(empty.Node().DefaultChild().(awscdk.CfnResource))
}
