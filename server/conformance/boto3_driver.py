"""Makes the calls of package conformance by boto3.

The first line of stdin says where to, every other one is a call; each is JSON and is
answered by a line of JSON. See boto3.go."""

import base64
import datetime
import json
import sys


def reply(**members):
    sys.stdout.write(json.dumps(members, default=plain) + '\n')
    sys.stdout.flush()


def plain(value):
    """plain is a value of boto3 as it is on the wire."""
    if isinstance(value, datetime.datetime):
        return value.timestamp()
    return base64.b64encode(value).decode()


try:
    import boto3
    import botocore.auth
    from botocore.client import Config
    from botocore.exceptions import ClientError
except ImportError as e:
    reply(missing=str(e))
    sys.exit()

to = json.loads(sys.stdin.readline())
last = {}  # what came back by HTTP


def keep(response_dict, **_):
    last.update(status=response_dict['status_code'], body=response_dict['body'])


def client(service, key=to['key'], secret=to['secret'], **config):
    # Without its validation boto3 sends what the service ought to refuse.
    config = Config(parameter_validation=False, retries={'total_max_attempts': 1, 'mode': 'standard'}, **config)
    return boto3.client(service, endpoint_url=to['url'], region_name=to['region'], config=config,
                        aws_access_key_id=key, aws_secret_access_key=secret)


class Shifted(botocore.auth.SigV4Auth):
    """Shifted signs at another time."""

    def _modify_request_before_signing(self, request):
        form = botocore.auth.SIGV4_TIMESTAMP
        at = datetime.datetime.strptime(request.context['timestamp'], form) + self.by
        request.context['timestamp'] = at.strftime(form)
        super()._modify_request_before_signing(request)


class Past(Shifted):
    by = datetime.timedelta(minutes=-20)


class Future(Shifted):
    by = datetime.timedelta(minutes=20)


botocore.auth.AUTH_TYPE_MAPS.update(past=Past, future=Future)


def for_another_service(request, **_):
    request.context['signing'] = {**request.context.get('signing', {}), 'signing_name': 'kinesis'}


# The ways to sign, as gosdk.go has them.
clients = {
    '': client('firehose'),
    'with another secret': client('firehose', secret=to['secret'] + 'x'),
    'with an unknown key': client('firehose', key='AKIANOBODYKNOWSTHIS0'),
    'for another service': client('firehose'),
    '20 minutes ago': client('firehose', signature_version='past'),
    'in 20 minutes': client('firehose', signature_version='future'),
    'not at all': client('firehose', signature_version=botocore.UNSIGNED),
}
clients['for another service'].meta.events.register('before-sign.firehose', for_another_service)
for c in clients.values():
    c.meta.events.register('before-parse.firehose', keep)
s3 = client('s3', s3={'addressing_style': 'path'})


def with_bytes(shape, value):
    """with_bytes is an input with bytes for base64, as boto3 wants it."""
    if shape.type_name == 'structure':
        return {name: with_bytes(shape.members[name], member) for name, member in value.items()}
    if shape.type_name == 'list':
        return [with_bytes(shape.member, each) for each in value]
    if shape.type_name == 'blob':
        return base64.b64decode(value, validate=True)
    return value


def call(op, given, sign):
    c = clients[sign]
    given = with_bytes(c.meta.service_model.operation_model(op).input_shape, given)
    out = getattr(c, botocore.xform_name(op))(**given)
    del out['ResponseMetadata']
    return {'output': out}


def objects(bucket):
    found = []
    for each in s3.list_objects_v2(Bucket=bucket).get('Contents', []):
        out = s3.get_object(Bucket=bucket, Key=each['Key'])
        found.append({'key': each['Key'], 'encoding': out.get('ContentEncoding', ''), 'type': out.get('ContentType', ''),
                      'body': out['Body'].read()})
    return {'objects': found}


def make_bucket(bucket):
    s3.create_bucket(Bucket=bucket)
    return {}


reply()  # it can begin
for line in sys.stdin:
    last.clear()
    asked = json.loads(line)
    try:
        got = {'call': call, 'objects': objects, 'make_bucket': make_bucket}[asked['do']](**asked['with'])
    except ClientError as e:
        got = {'code': e.response['Error']['Code'], 'message': e.response['Error']['Message']}
    except Exception as e:
        got = {'error': f'{type(e).__name__}: {e}'}
    reply(**got, **last)
