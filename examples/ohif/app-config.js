/** OHIF's own `app-config.js`, with the package's mode, a PACS of the same origin and studies in DICOM JSON. */
window.config = {
  routerBasename: null,
  extensions: [],
  // the mode brings its extension
  modes: ['/packages/clip-lung/dist/adapters/ohif-mode.js'],
  // where the model directory is served
  clipLung: { model: '/models/clip-lung' },
  customizationService: {},
  showStudyList: true,
  maxNumberOfWebWorkers: 3,
  showLoadingIndicator: true,
  strictZSpacingForVolumeViewport: true,
  defaultDataSourceName: 'pacs',
  dataSources: [
    {
      namespace: '@ohif/extension-default.dataSourcesModule.dicomweb',
      sourceName: 'pacs',
      configuration: {
        friendlyName: 'PACS',
        name: 'pacs',
        qidoRoot: '/dicom-web',
        wadoRoot: '/dicom-web',
        imageRendering: 'wadors',
        thumbnailRendering: 'wadors',
        enableStudyLazyLoad: true,
        supportsWildcard: true,
        omitQuotationForMultipartRequest: true,
        bulkDataURI: { enabled: true, relativeResolution: 'studies' },
      },
    },
    {
      namespace: '@ohif/extension-default.dataSourcesModule.dicomjson',
      sourceName: 'dicomjson',
      configuration: { friendlyName: 'DICOM JSON', name: 'json' },
    },
  ],
};
