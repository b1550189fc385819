"""Starts the containers of our manifests as a kubelet or compose would: exactly the environment, files, user and read-only root that
each gets, and nothing of this machine but libc and its like. Root only, in network and mount namespaces of the caller's.

    kubelet.py describe FILE [POD…]           these containers, or all, as JSON, after a look at what they may
    kubelet.py start FILE POD [ARGUMENT…]     becomes the container; other arguments than its own, if there are any
    kubelet.py health FILE POD                the check that compose runs in it: its exit code
    kubelet.py probe FILE POD PROBE           the question that the kubelet asks: "readiness 200 http://…", on each address family
    kubelet.py scrape FILE PODMONITOR         what Prometheus gets by it
    kubelet.py group FILE SCALEDOBJECT        the brokers and the consumer group that KEDA watches
    kubelet.py environment FILE POD           for `eval` in a shell
    kubelet.py loopback                       the network of a new namespace

FILE is a rendered list of Kubernetes resources, or compose.yaml; POD is "Deployment/gracecube-run" or "service/run-1". The addresses
of other hosts come from the variable CLUSTER_HOSTS, lines of /etc/hosts.
"""
import base64
import ctypes
import fcntl
import json
import os
import re
import shlex
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request

import yaml

ROOT, PROGRAM = os.environ['CUBE_TEST_ROOT'], os.environ['CUBE_TEST_BIN']
LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNS, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS, CAPABILITIES = 0x20000, 24, 38, 64


def must(condition, sentence):
    if not condition:
        sys.exit('kubelet.py: ' + sentence)


# --- The image --------------------------------------------------------------------------------------------------------

def image():
    """What deploy/Dockerfile gives to a container of its last stage."""
    with open(ROOT + '/deploy/Dockerfile', encoding='utf-8') as file:
        text = file.read().replace('\\\n', ' ')
    stage = text[text.rindex('\nFROM '):]
    found = dict(re.findall(r'^(ENV|USER|ENTRYPOINT|CMD|HEALTHCHECK) +(.*)$', stage, re.M))
    environment = {'PATH': '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'}
    environment.update(word.split('=', 1) for word in shlex.split(found['ENV']))
    return {'environment': environment, 'user': found['USER'], 'entrypoint': json.loads(found['ENTRYPOINT']),
            'arguments': json.loads(found['CMD']), 'health': json.loads(found['HEALTHCHECK'].split(' CMD ')[1])}


# --- Kubernetes -------------------------------------------------------------------------------------------------------

class Cluster:
    """Rendered resources. Of a name there is one in each kind, as everything is in one namespace."""

    def __init__(self, path):
        with open(path, encoding='utf-8') as file:
            self.resources = [one for one in yaml.load_all(file, yaml.CSafeLoader) if one]

    def get(self, name):
        found = [one for one in self.resources if '%s/%s' % (one['kind'], one['metadata']['name']) == name]
        must(len(found) == 1, 'there are %d resources %s' % (len(found), name))
        return found[0]

    def template(self, resource):
        spec = resource['spec'].get('jobTemplate', resource)['spec']
        return spec.get('template') if isinstance(spec, dict) else None

    def pods(self):
        return {'%s/%s' % (one['kind'], one['metadata']['name']): self.template(one)
                for one in self.resources if one['kind'] in ('Deployment', 'StatefulSet', 'DaemonSet', 'Job', 'CronJob')}

    def data(self, kind, name):
        resource = self.get('%s/%s' % (kind, name))
        data = dict(resource.get('data', {}))
        if kind == 'Secret':
            data = {key: base64.b64decode(value).decode() for key, value in data.items()}
        return {**data, **resource.get('stringData', {})}

    def service_links(self):
        """What a pod gets where enableServiceLinks is not false: shown to be harmless, whatever an overlay makes of it."""
        links = {}
        services = [('kubernetes', [{'name': 'https', 'port': 443}])]
        services += [(one['metadata']['name'], one['spec']['ports']) for one in self.resources if one['kind'] == 'Service']
        for number, (name, ports) in enumerate(services, 1):
            address, prefix = '10.96.0.%d' % number, name.upper().replace('-', '_')
            links[prefix + '_SERVICE_HOST'] = address
            links[prefix + '_SERVICE_PORT'] = str(ports[0]['port'])
            links[prefix + '_PORT'] = 'tcp://%s:%d' % (address, ports[0]['port'])
            for port in ports:
                protocol = port.get('protocol', 'TCP')
                one = '%s_PORT_%d_%s' % (prefix, port['port'], protocol)
                links.update({one: '%s://%s:%d' % (protocol.lower(), address, port['port']), one + '_PROTO': protocol.lower(),
                              one + '_PORT': str(port['port']), one + '_ADDR': address})
                if 'name' in port:
                    links['%s_SERVICE_PORT_%s' % (prefix, port['name'].upper().replace('-', '_'))] = str(port['port'])
        return links

    def own_environment(self, container):
        """What the manifest itself says; envFrom first, as env wins."""
        environment = {}
        for source in container.get('envFrom', []):
            kind = 'Secret' if 'secretRef' in source else 'ConfigMap'
            reference = source.get('secretRef') or source['configMapRef']
            environment.update({source.get('prefix', '') + key: value
                                for key, value in self.data(kind, reference['name']).items()})
        for one in container.get('env', []):
            value = one.get('value', '')
            if 'valueFrom' in one:
                (form, reference), = one['valueFrom'].items()
                kind = {'secretKeyRef': 'Secret', 'configMapKeyRef': 'ConfigMap'}[form]
                value = self.data(kind, reference['name'])[reference['key']]
            environment[one['name']] = value
        return environment

    def mounts(self, spec, container):
        mounts = {}
        volumes = {one['name']: one for one in spec.get('volumes', [])}
        for mount in container.get('volumeMounts', []):
            volume = volumes[mount['name']]
            if 'configMap' in volume:
                mounts[mount['mountPath']] = self.data('ConfigMap', volume['configMap']['name'])
            else:
                mounts[mount['mountPath']] = self.data('Secret', volume['secret']['secretName'])
        return mounts

    def container(self, name):
        """The only container of a pod. What must be so in each of ours is looked at here."""
        spec = self.pods()[name]['spec']
        container, = spec['containers']
        pod_security, own = spec['securityContext'], container['securityContext']
        must(spec.get('enableServiceLinks') is False, name + ' gets variables for each Service')
        must(spec.get('automountServiceAccountToken') is False, name + ' gets a token for the cluster')
        must(pod_security['runAsNonRoot'] and own['readOnlyRootFilesystem'] and own['capabilities'] == {'drop': ['ALL']}
             and own['allowPrivilegeEscalation'] is False, name + ' has more rights than it needs')
        made = image()
        return {
            'command': container.get('command', made['entrypoint']), 'arguments': container.get('args', made['arguments']),
            'environment': {**made['environment'], 'HOME': '/', 'HOSTNAME': name.split('/')[1] + '-0',
                            **self.service_links(), **self.own_environment(container)},
            'user': '%d:%d' % (pod_security['runAsUser'], pod_security['runAsGroup']),
            'mounts': self.mounts(spec, container),
            'ports': {one['name']: one['containerPort'] for one in container.get('ports', [])},
            'probes': {key[:-len('Probe')]: value for key, value in container.items() if key.endswith('Probe')},
            'grace': spec.get('terminationGracePeriodSeconds', 30),
        }

    def scraped(self, name):
        """The address that a PodMonitor asks: the port of that name, in each pod that it selects."""
        monitor = self.get(name)['spec']
        wanted = monitor['selector']['matchLabels'].items()
        pods = [pod for pod, template in self.pods().items() if wanted <= template['metadata']['labels'].items()]
        must(pods, name + ' selects no pod')
        return [(self.container(pod)['ports'][endpoint['port']], endpoint.get('path', '/metrics'))
                for pod in pods for endpoint in monitor['podMetricsEndpoints']]

    def watched(self, name):
        scaled = self.get(name)['spec']
        target = scaled['scaleTargetRef']
        resource = self.get('%s/%s' % (target.get('kind', 'Deployment'), target['name']))
        environment = self.own_environment(resource['spec']['template']['spec']['containers'][0])
        metadata = [one['metadata'] for one in scaled['triggers'] if one['type'] == 'kafka'][0]
        return [metadata.get(key) or environment[metadata[key + 'FromEnv']] for key in ('bootstrapServers', 'consumerGroup')]


# --- Compose ----------------------------------------------------------------------------------------------------------

class Compose:
    def __init__(self, path):
        with open(path, encoding='utf-8') as file:
            self.services = yaml.load(file, yaml.CSafeLoader)['services']
        self.directory = os.path.dirname(os.path.abspath(path))

    def pods(self):
        return {'service/' + name: one for name, one in self.services.items() if one['image'].startswith('gracecube:')}

    def environment(self, service):
        def replace(match):
            must(match.group(2) is not None, 'a variable without a default: ' + match.group())
            return os.environ.get(match.group(1)) or match.group(2)
        return {key: re.sub(r'\$\{(\w+)(?::-([^}]*))?\}', replace, str(value))
                for key, value in service.get('environment', {}).items()}

    def container(self, name):
        service = self.services[name.split('/')[1]]
        made = image()
        ours = name in self.pods()
        must(not ours or (service['read_only'] and service['cap_drop'] == ['ALL']
                          and service['security_opt'] == ['no-new-privileges:true']), name + ' has more rights than it needs')
        return {
            'command': made['entrypoint'], 'arguments': service.get('command', made['arguments']),
            'environment': {**(made['environment'] if ours else {}), 'HOME': '/', 'HOSTNAME': 'f00dfeed0000',
                            **self.environment(service)},
            'user': service.get('user', made['user']), 'mounts': {},
            'health': service.get('healthcheck', {}).get('test', ['CMD', *made['health']]),
        }


def read(path):
    return Compose(path) if os.path.basename(path) == 'compose.yaml' else Cluster(path)


# --- The container ----------------------------------------------------------------------------------------------------

def mount(*arguments):
    subprocess.run(['mount', *arguments], check=True)


def bind(source, target):
    if os.path.isdir(source):
        os.makedirs(target, exist_ok=True)
    else:
        open(target, 'wb').close()
    mount('--bind', source, target)
    mount('-o', 'remount,bind,ro', target)


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, 'w', encoding='utf-8') as file:
        file.write(text)
    os.chmod(path, 0o644)


def make_root(container):
    """A tree with the program, the libraries that it is linked to and what the manifest mounts; then nothing can be written."""
    root = tempfile.mkdtemp(prefix='root.', dir=os.getcwd())
    must(LIBC.unshare(CLONE_NEWNS) == 0, 'no mount namespace: ' + os.strerror(ctypes.get_errno()))
    mount('--make-rprivate', '/')
    mount('-t', 'tmpfs', '-o', 'size=64m,mode=755', 'tmpfs', root)
    for path in ('usr/bin', 'etc', 'dev', 'proc', 'tmp'):
        os.makedirs(root + '/' + path)
    for name in ('lib', 'lib64'):
        if os.path.isdir('/usr/' + name):
            bind('/usr/' + name, root + '/usr/' + name)
            os.symlink('usr/' + name, root + '/' + name)
    shutil.copy2(PROGRAM, root + '/usr/bin/gracecube')
    for device in ('null', 'urandom'):
        bind('/dev/' + device, root + '/dev/' + device)
    bind('/proc', root + '/proc')
    write(root + '/etc/hosts', '127.0.0.1 localhost\n::1 localhost\n' + os.environ.get('CLUSTER_HOSTS', '') + '\n')
    write(root + '/etc/nsswitch.conf', 'hosts: files\n')
    for path, files in container['mounts'].items():
        for name, text in files.items():
            write(root + path + '/' + name, text)
    mount('-o', 'remount,ro', root)
    return root


def enter(container, root):
    uid, gid = (int(part) for part in container['user'].split(':'))
    must(uid != 0, 'the container is root')
    os.chroot(root)
    os.chdir('/')
    for capability in range(CAPABILITIES):
        LIBC.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)  # past the last one it fails, which is as good
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
    must(LIBC.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, 'no_new_privs cannot be set')


def become(container, command):
    environment = dict(container['environment'])
    if 'CUBE_TEST_TOKEN' in os.environ:  # by which tests/run finds what is left over
        environment['CUBE_TEST_TOKEN'] = os.environ['CUBE_TEST_TOKEN']
    enter(container, make_root(container))
    os.execve(command[0], command, environment)


# --- Asking -----------------------------------------------------------------------------------------------------------

def addresses():
    """A pod's addresses: a cluster gives it one of each family that the machine has."""
    found = ['127.0.0.1']
    if os.path.exists('/proc/net/if_inet6'):
        with open('/proc/net/if_inet6', encoding='ascii') as file:
            found += ['[::1]' for line in file if line.startswith('0' * 31 + '1')]
    return found


def get(url, timeout):
    try:
        with urllib.request.urlopen(url, timeout=timeout) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError as error:
        return 0, str(error)


def probe(container, name):
    wanted = container['probes'][name]
    question, good = wanted['httpGet'], True
    port = container['ports'].get(question['port'], question['port'])
    for address in addresses():
        url = 'http://%s:%d%s' % (address, port, question['path'])
        status, _ = get(url, wanted.get('timeoutSeconds', 1))
        print(name, status, url)
        good = good and 200 <= status < 400
    return 0 if good else 1


def loopback():
    """Brings lo up: then 127.0.0.1 and ::1 are there."""
    up, request = 0x1 | 0x40, struct.pack('16sh', b'lo', 0x1 | 0x40)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        fcntl.ioctl(sock, 0x8914, request)  # SIOCSIFFLAGS
        flags = struct.unpack('16sh', fcntl.ioctl(sock, 0x8913, request)[:18])[1]
    must(flags & up == up, 'the loopback interface stays down')


def main(verb, path=None, name=None, *arguments):
    if verb == 'loopback':
        return loopback()
    manifest = read(path)
    if verb == 'describe':
        pods = [name, *arguments] if name else manifest.pods()
        print(json.dumps({pod: manifest.container(pod) for pod in pods}, indent=1, sort_keys=True))
    elif verb == 'scrape':
        for port, route in manifest.scraped(name):
            status, text = get('http://127.0.0.1:%d%s' % (port, route), 5)
            must(status == 200, '%s gets %s from port %d' % (name, status or text, port))
            print(text, end='')
    elif verb == 'group':
        print(*manifest.watched(name))
    elif verb == 'start':
        container = manifest.container(name)
        become(container, container['command'] + (list(arguments) or container['arguments']))
    elif verb == 'health':
        container = manifest.container(name)
        must(container['health'][0] == 'CMD', 'a health check that is no command')
        become(container, container['health'][1:])
    elif verb == 'probe':
        return probe(manifest.container(name), *arguments)
    elif verb == 'environment':
        for key, value in manifest.environment(manifest.services[name.split('/')[1]]).items():
            print('export %s=%s' % (key, shlex.quote(value)))
    return 0


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
